#pragma once
// A remote procedure over evhttp: Upper(text) -> (text, length), POST /.rpc.Upper.
//
// What libevent's event_rpcgen would have made of this, had we run it (it is a Python script that
// Debian does not package):
//
//     struct UpperRequest { string text = 1; }
//     struct UpperReply   { string text = 1; int length = 2; }
//
// For each struct it writes C: the struct with a flag per member, NAME_new_with_arg, NAME_free,
// NAME_clear, NAME_complete, NAME_marshal and NAME_unmarshal. The macros of event2/rpc.h paste
// these names together, hence the underscores. Members are tagged (event2/tag.h): tag, length,
// bytes.

#include <event2/http.h>
#include <event2/rpc.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/routes.h"

struct UpperRequest {
  std::string text;
  bool text_set = false;
};
struct UpperReply {
  std::string text;
  std::uint32_t length = 0;
  bool text_set = false, length_set = false;
};

struct FreeRpc {
  void operator()(evhttp* http) const { evhttp_free(http); }
  void operator()(evrpc_base* base) const { evrpc_free(base); }
  void operator()(evrpc_pool* pool) const { evrpc_pool_free(pool); }  // and its connection
};

// The server's side.
class UpperService {
 public:
  static constexpr std::string_view kPath = "/.rpc.Upper";
  explicit UpperService(event_base* base);

  // The refusal, if the request is none that the framework should see: it would answer all of them
  // 503, and ask nobody for a password.
  static std::optional<Response> refuse(const Request& request, const App& app);
  void answer(evhttp_request* message);

 private:
  std::unique_ptr<evhttp, FreeRpc> http_;  // never bound: it only finds the procedure by its path
  std::unique_ptr<evrpc_base, FreeRpc> rpc_;
};

// The client's side: one call over the connection `over`, which it takes. `prepare` adds fields to
// the request, `done` gets the outcome. Must stay where it is until then.
struct UpperCall {
  using Prepare = int (*)(void* context, evhttp_request* request, evbuffer* body, void* arg);
  using Done = void (*)(evrpc_status* status, UpperRequest*, UpperReply* reply, void* arg);
  UpperCall(evhttp_connection* over, std::string text, Prepare prepare, Done done, void* arg);

  // Lets the call fail: nothing else makes the framework free what it holds for one under way.
  void hang_up();

  UpperRequest request;
  UpperReply reply;
  evhttp_connection* connection;  // the pool's
  std::unique_ptr<evrpc_pool, FreeRpc> pool;
};
