#include "04_bufferevent_http/upper_rpc.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>
#include <event2/rpc_struct.h>
#include <event2/tag.h>
#include <sys/socket.h>

#include <utility>

#include "common/ascii.h"
#include "common/check.h"

namespace {

// ---- what event_rpcgen would have written ------------------------------------------------------

enum Tag : ev_uint32_t { kTextTag = 1, kLengthTag = 2 };

// evtag_unmarshal_string would end the text at its first NUL.
int unmarshal_text(evbuffer* from, std::string& text) {
  ev_uint32_t tag = 0;
  const int size = evtag_unmarshal_header(from, &tag);
  if (size < 0 || static_cast<std::size_t>(size) > evbuffer_get_length(from)) return -1;
  text.resize(static_cast<std::size_t>(size));
  return evbuffer_remove(from, text.data(), text.size()) == size ? 0 : -1;
}

// Reads members until the buffer is empty. A tag that is unknown or comes twice is an error.
template <typename Member>
int unmarshal(evbuffer* from, Member member) {
  while (evbuffer_get_length(from) != 0) {
    ev_uint32_t tag = 0;
    if (evtag_peek(from, &tag) == -1 || member(tag) == -1) return -1;
  }
  return 0;
}

void marshal_text(evbuffer* to, const std::string& text) {
  evtag_marshal(to, kTextTag, text.data(), static_cast<ev_uint32_t>(text.size()));
}

void* UpperRequest_new_with_arg(void*) { return new UpperRequest; }
void UpperRequest_free(void* message) { delete static_cast<UpperRequest*>(message); }
void UpperRequest_marshal(evbuffer* to, void* message) {
  marshal_text(to, static_cast<UpperRequest*>(message)->text);
}
int UpperRequest_unmarshal(void* message, evbuffer* from) {
  auto& m = *static_cast<UpperRequest*>(message);
  const int result = unmarshal(from, [&](ev_uint32_t tag) {
    if (tag != kTextTag || std::exchange(m.text_set, true)) return -1;
    return unmarshal_text(from, m.text);
  });
  return result == 0 && m.text_set ? 0 : -1;
}

void* UpperReply_new_with_arg(void*) { return new UpperReply; }
void UpperReply_free(void* message) { delete static_cast<UpperReply*>(message); }
void UpperReply_clear(void* message) { *static_cast<UpperReply*>(message) = {}; }
int UpperReply_complete(void* message) {
  const auto& m = *static_cast<UpperReply*>(message);
  return m.text_set && m.length_set ? 0 : -1;
}
void UpperReply_marshal(evbuffer* to, void* message) {
  const auto& m = *static_cast<UpperReply*>(message);
  marshal_text(to, m.text);
  evtag_marshal_int(to, kLengthTag, m.length);
}
int UpperReply_unmarshal(void* message, evbuffer* from) {
  auto& m = *static_cast<UpperReply*>(message);
  const int result = unmarshal(from, [&](ev_uint32_t tag) {
    if (tag == kTextTag && !std::exchange(m.text_set, true)) return unmarshal_text(from, m.text);
    if (tag != kLengthTag || std::exchange(m.length_set, true)) return -1;
    return evtag_unmarshal_int(from, kLengthTag, &m.length);
  });
  return result == 0 ? UpperReply_complete(message) : -1;
}

}  // namespace

EVRPC_HEADER(Upper, UpperRequest, UpperReply)
EVRPC_GENERATE(Upper, UpperRequest, UpperReply)

// ---- the procedure -----------------------------------------------------------------------------

namespace {

void on_upper(evrpc_req_generic* call, void*) {
  const auto& request = *static_cast<UpperRequest*>(evrpc_get_request(call));
  auto& reply = *static_cast<UpperReply*>(evrpc_get_reply(call));
  reply.text.resize(request.text.size());
  ascii_upper(request.text, reply.text.data());
  reply.length = static_cast<std::uint32_t>(reply.text.size());
  reply.text_set = reply.length_set = true;
  evrpc_request_done(call);
}

bool well_formed(std::string_view body) {
  UpperRequest trial;
  evbuffer* bytes = check(evbuffer_new(), "evbuffer_new");
  evbuffer_add_reference(bytes, body.data(), body.size(), nullptr, nullptr);
  const bool good = UpperRequest_unmarshal(&trial, bytes) == 0;
  evbuffer_free(bytes);
  return good;
}

}  // namespace

UpperService::UpperService(event_base* base)
    : http_(check(evhttp_new(base), "evhttp_new")),
      rpc_(check(evrpc_init(http_.get()), "evrpc_init")) {
  check(EVRPC_REGISTER(rpc_.get(), Upper, UpperRequest, UpperReply, on_upper, nullptr),
        "EVRPC_REGISTER");
}

std::optional<Response> UpperService::refuse(const Request& request, const App& app) {
  // The routes do not know the path; what they hold against any path (401, 501) comes first.
  const auto refused = refuse_unread(request, app);
  if (refused && refused->status != 404) return refused;
  if (request.method != Method::post) return error_response(405, "Allow: POST\r\n");
  if (!well_formed(request.body)) return error_response(400);
  return std::nullopt;
}

void UpperService::answer(evhttp_request* message) {
  // The request's own callback is evhttp's dispatcher, with the evhttp whose callbacks it looks up
  // as argument. Called once more with the other evhttp, it finds the procedure.
  message->cb(message, http_.get());
}

UpperCall::UpperCall(evhttp_connection* over, std::string text, Prepare prepare, Done done,
                     void* arg)
    : request{std::move(text), true},
      connection(over),
      // No base: the connection has one, and evrpc_pool_add_connection would abort at a second.
      pool(check(evrpc_pool_new(nullptr), "evrpc_pool_new")) {
  evrpc_pool_add_connection(pool.get(), connection);
  check(evrpc_add_hook(pool.get(), EVRPC_OUTPUT, prepare, arg), "evrpc_add_hook");
  EVRPC_MAKE_REQUEST(Upper, pool.get(), &request, &reply, done, arg);
}

void UpperCall::hang_up() {
  shutdown(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), SHUT_RDWR);
}
