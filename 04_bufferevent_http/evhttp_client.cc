// An HTTP client on evhttp, with curl's flags and exit codes (command.h).
//
// New here: the other direction. The loop that accepts can connect as well, and a name is looked up
// without blocking: by evdns, because getaddrinfo(3) would stop the loop for seconds.
//
// Not here, on purpose: redirects, proxies, TLS, several transfers at once; a name handed to evhttp
// itself, which tries the first address only and cannot tell an unknown host from a closed port;
// evhttp_connection_set_retries, which retries what curl's --retry does not, a refused connection.

#include <event2/dns.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/rpc_struct.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "03_libevent_raw/base.h"
#include "04_bufferevent_http/command.h"
#include "04_bufferevent_http/evhttp_message.h"
#include "04_bufferevent_http/upper_rpc.h"

namespace {

struct FreeHttp {
  void operator()(evdns_base* dns) const { evdns_base_free(dns, 0); }
  void operator()(evhttp_connection* connection) const { evhttp_connection_free(connection); }
  void operator()(evutil_addrinfo* list) const { evutil_freeaddrinfo(list); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeHttp>;

// One attempt. Freed from the last member to the first: everything before what it hangs on.
struct Transfer {
  const Command& command;
  Base base;
  Owned<evdns_base> dns = {};
  Event timer = {};
  evdns_getaddrinfo_request* lookup = nullptr;  // under way
  Owned<evutil_addrinfo> addresses = {};
  Owned<evhttp_connection> connection = {};
  std::optional<UpperCall> call = {};
  bool finished = false;
  bool head_came = false;
  int error = -1;  // an evhttp_request_error; -1: none was reported
  int status = 0;  // of the answer
  Exit result = kOk;
  std::string message = {};  // what went wrong
  std::string output = {};
};

void run(Transfer& t);
void resolve(Transfer& t);
void on_resolved(int error, evutil_addrinfo* list, void* transfer);
void try_address(Transfer& t, const evutil_addrinfo& address);
void add_headers(const Command& command, evkeyvalq* headers);
int on_head(evhttp_request* response, void* transfer);
void on_error(evhttp_request_error error, void* transfer);
void on_response(evhttp_request* response, void* transfer);
int on_call(void*, evhttp_request* request, evbuffer*, void* transfer);
void on_reply(evrpc_status* status, UpperRequest*, UpperReply* reply, void* transfer);
void on_timeout(evutil_socket_t, short, void* transfer);
void finish(Transfer& t, Exit result, const std::string& message);
bool is_transient(const Transfer& t);

}  // namespace

int main(int argc, char** argv) {
  event_set_log_callback([](int, const char*) {});  // what went wrong is said once, by us
  std::signal(SIGPIPE, SIG_IGN);
  const Command command = parse_command(argc, argv);
  for (unsigned attempt = 0;; ++attempt) {
    Transfer t{command, make_base()};
    run(t);
    if (is_transient(t) && attempt < command.retries) {
      std::this_thread::sleep_for(std::chrono::seconds(1U << std::min(attempt, 9U)));
      continue;
    }
    std::fwrite(t.output.data(), 1, t.output.size(), stdout);
    std::fflush(stdout);
    if (t.result != kOk) {
      std::fprintf(stderr, "evhttp_client: (%d) %s\n", t.result, t.message.c_str());
    }
    return t.result;
  }
}

namespace {

// Each step runs the loop until it has come to an end one way or the other.
void run(Transfer& t) {
  t.timer = make_timer(t.base.get(), on_timeout, &t);
  if (t.command.max_time.count() != 0) start(t.timer, t.command.max_time);
  resolve(t);
  for (const evutil_addrinfo* next = t.addresses.get(); next != nullptr && !t.finished;
       next = next->ai_next) {
    try_address(t, *next);
  }
  if (!t.finished) {
    finish(t, kNoConnection, "cannot connect to " + t.command.host + " port " + t.command.port);
  }
}

void resolve(Transfer& t) {
  // /etc/resolv.conf and /etc/hosts; without a question under way its sockets keep no loop running.
  constexpr int kFlags = EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE;
  t.dns.reset(check(evdns_base_new(t.base.get(), kFlags), "evdns_base_new"));
  evutil_addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  const char* port = t.command.port.c_str();
  t.lookup = evdns_getaddrinfo(t.dns.get(), t.command.host.c_str(), port, &hints, on_resolved, &t);
  if (t.lookup != nullptr) event_base_dispatch(t.base.get());  // otherwise it knew at once
}

void on_resolved(int error, evutil_addrinfo* list, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  t.lookup = nullptr;
  t.addresses.reset(list);
  event_base_loopbreak(t.base.get());
  if (error == 0 || t.finished) return;
  finish(t, kNoHost, "cannot resolve " + t.command.host + ": " + evutil_gai_strerror(error));
}

void try_address(Transfer& t, const evutil_addrinfo& address) {
  std::array<char, NI_MAXHOST> host{};
  getnameinfo(address.ai_addr, static_cast<socklen_t>(address.ai_addrlen), host.data(), host.size(),
              nullptr, 0, NI_NUMERICHOST);
  const auto port = static_cast<std::uint16_t>(std::stoi(t.command.port));
  t.connection.reset(check(evhttp_connection_base_new(t.base.get(), t.dns.get(), host.data(), port),
                           "evhttp_connection"));
  evhttp_connection_set_timeout(t.connection.get(), 24 * 60 * 60);  // -m is the time-out
  if (t.command.rpc_upper) {
    t.call.emplace(t.connection.release(), *t.command.rpc_upper, on_call, on_reply, &t);
    return void(event_base_dispatch(t.base.get()));
  }
  evhttp_request* request = check(evhttp_request_new(on_response, &t), "evhttp_request_new");
  evhttp_request_set_header_cb(request, on_head);
  evhttp_request_set_error_cb(request, on_error);
  add_headers(t.command, evhttp_request_get_output_headers(request));
  evbuffer_add(evhttp_request_get_output_buffer(request), t.command.data.data(),
               t.command.data.size());
  if (evhttp_make_request(t.connection.get(), request, t.command.method,
                          t.command.target.c_str()) == 0) {
    event_base_dispatch(t.base.get());
  }
}

void add_headers(const Command& command, evkeyvalq* headers) {
  const bool ipv6 = command.host.find(':') != std::string::npos;
  std::string host = ipv6 ? '[' + command.host + ']' : command.host;
  if (command.port != "80") host += ':' + command.port;
  evhttp_add_header(headers, "Host", host.c_str());
  if (!command.user.empty()) {
    evhttp_add_header(headers, "Authorization", ("Basic " + base64(command.user)).c_str());
  }
  evhttp_add_header(headers, "User-Agent", "evhttp_client/1.0");
  evhttp_add_header(headers, "Accept", "*/*");
  evhttp_add_header(headers, "Connection", "close");  // one request, and evhttp closes after it
  if (command.has_data) {
    evhttp_add_header(headers, "Content-Length", std::to_string(command.data.size()).c_str());
    evhttp_add_header(headers, "Content-Type", "application/x-www-form-urlencoded");
  }
  for (const auto& header : command.headers) evhttp_remove_header(headers, header.first.c_str());
  for (const auto& [name, value] : command.headers) {
    if (!value.empty()) evhttp_add_header(headers, name.c_str(), value.c_str());
  }
}

int on_head(evhttp_request*, void* arg) {
  static_cast<Transfer*>(arg)->head_came = true;
  return 0;
}

void on_error(evhttp_request_error error, void* arg) { static_cast<Transfer*>(arg)->error = error; }

std::string head_of(evhttp_request* response) {
  std::string head = "HTTP/" + std::to_string(response->major) + '.' +
                     std::to_string(response->minor) + ' ' +
                     std::to_string(evhttp_request_get_response_code(response)) + ' ' +
                     evhttp_request_get_response_code_line(response) + "\r\n";
  const evkeyvalq* headers = evhttp_request_get_input_headers(response);
  for (const evkeyval* field = headers->tqh_first; field; field = field->next.tqe_next) {
    head.append(field->key).append(": ").append(field->value).append("\r\n");
  }
  return head + "\r\n";
}

// The end of an attempt, good or bad. Bad: no response, or one without a status.
void on_response(evhttp_request* response, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  event_base_loopbreak(t.base.get());  // the connection must not be freed inside its own callback
  t.status = response != nullptr ? evhttp_request_get_response_code(response) : 0;
  if (t.status == 0) {
    if (t.error == -1) return;  // no connection: the next address has its turn
    if (t.head_came) return finish(t, kPartialBody, "the connection ended inside the body");
    if (t.error == EVREQ_HTTP_EOF) return finish(t, kEmptyReply, "empty reply");
    if (t.error == EVREQ_HTTP_INVALID_HEADER) return finish(t, kWeirdReply, "not an HTTP reply");
    return finish(t, kReceiveFailed, "the connection was lost");
  }
  if (t.command.fail && t.status >= 400) {
    return finish(t, kHttpError, "the server answered " + std::to_string(t.status));
  }
  evbuffer* body = evhttp_request_get_input_buffer(response);
  if (t.command.include_head) t.output = head_of(response);
  const std::size_t size = evbuffer_get_length(body);
  if (size != 0) t.output.append(reinterpret_cast<char*>(evbuffer_pullup(body, -1)), size);
  finish(t, kOk, "");
}

// A remote call is a request that the framework makes; its fields are ours.
int on_call(void*, evhttp_request* request, evbuffer*, void* arg) {
  add_headers(static_cast<Transfer*>(arg)->command, evhttp_request_get_output_headers(request));
  return EVRPC_CONTINUE;
}

void on_reply(evrpc_status* status, UpperRequest*, UpperReply* reply, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  event_base_loopbreak(t.base.get());
  if (t.finished) return;
  t.status = status->http_req ? evhttp_request_get_response_code(status->http_req) : 0;
  if (status->http_req == nullptr) return finish(t, kEmptyReply, "no reply");
  if (t.status == 0) return;  // no connection: the next address has its turn
  if (t.status >= 300)
    return finish(t, kHttpError, "the server answered " + std::to_string(t.status));
  if (status->error != EVRPC_STATUS_ERR_NONE) return finish(t, kWeirdReply, "not an RPC reply");
  t.output = reply->text + '\n';
  finish(t, kOk, "");
}

void on_timeout(evutil_socket_t, short, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  finish(t, kTimeout, "timed out");
  if (t.lookup != nullptr) return evdns_getaddrinfo_cancel(t.lookup);  // on_resolved ends the loop
  if (t.call) return t.call->hang_up();                                // and on_reply
  event_base_loopbreak(t.base.get());
}

void finish(Transfer& t, Exit result, const std::string& message) {
  t.finished = true;
  t.result = result;
  t.message = message;
}

// What curl's --retry takes for an accident.
bool is_transient(const Transfer& t) {
  return t.result == kTimeout || t.result == kNoHost || t.status == 408 || t.status == 429 ||
         t.status == 500 || (t.status >= 502 && t.status <= 504);
}

}  // namespace
