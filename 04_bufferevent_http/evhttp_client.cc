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
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "03_libevent_raw/base.h"
#include "04_bufferevent_http/command.h"
#include "04_bufferevent_http/evhttp_message.h"
#include "04_bufferevent_http/response_head.h"
#include "04_bufferevent_http/upper_rpc.h"
#include "common/ascii.h"
#include "common/command_line.h"
#include "common/http_parser.h"
#include "common/process.h"

namespace {

constexpr std::size_t kMaxHead = 300 * 1024;  // as curl has it
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::chrono::seconds kContinueTime{1};  // that a server has to say it

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
  Event patience = {};
  evdns_getaddrinfo_request* lookup = nullptr;  // under way
  Owned<evutil_addrinfo> addresses = {};
  Owned<evhttp_connection> connection = {};
  std::optional<UpperCall> call = {};
  bool starting = false;      // an attempt that ends now has had no connection
  bool attempt_over = false;  // with this address; it may be before the loop runs
  bool finished = false;
  bool awaits_continue = false;               // evhttp keeps the body back
  bool last_attempt = false;                  // what comes is printed, not tried again
  int error = -1;                             // an evhttp_request_error; -1: none was reported
  int status = 0;                             // of the answer; 0: its head has not come
  std::optional<ChunkedDecoder> chunks = {};  // of a chunked body
  std::string undecoded = {};
  Exit result = kOk;
  std::string message = {};  // what went wrong
};

void run(Transfer& t);
void resolve(Transfer& t);
void on_resolved(int error, evutil_addrinfo* list, void* transfer);
void try_address(Transfer& t, const evutil_addrinfo& address);
void call(Transfer& t);
void request(Transfer& t);
void add_headers(const Command& command, evkeyvalq* headers);
bool expects_continue(const Command& command);
bufferevent* wire(const Transfer& t);
void on_input(evbuffer* input, const evbuffer_cb_info* change, void* transfer);
void on_no_continue(evutil_socket_t, short, void* transfer);
void on_body(evhttp_request* response, void* transfer);
void decode(Transfer& t, std::string_view bytes);
void print(Transfer& t, std::string_view bytes);
void on_error(evhttp_request_error error, void* transfer);
void on_response(evhttp_request* response, void* transfer);
int on_call(void*, evhttp_request* request, evbuffer*, void* transfer);
void on_reply(evrpc_status* status, UpperRequest*, UpperReply* reply, void* transfer);
void on_timeout(evutil_socket_t, short, void* transfer);
void end_attempt(Transfer& t);
void conclude(Transfer& t, Exit result, const std::string& message);
void finish(Transfer& t, Exit result, const std::string& message);
bool is_transient(const Transfer& t);

}  // namespace

int main(int argc, char** argv) {
  // Where stdout is closed, the next socket would get its number. Nothing can be written into this.
  occupy_standard_descriptors(O_RDONLY);
  event_set_log_callback([](int, const char*) {});  // what went wrong is said once, by us
  std::signal(SIGPIPE, SIG_IGN);
  const Command command = parse_command(argc, argv);
  for (unsigned attempt = 0;; ++attempt) {
    Transfer t{command, make_base()};
    t.last_attempt = attempt == command.retries;
    run(t);
    if (is_transient(t) && !t.last_attempt) {
      std::this_thread::sleep_for(std::chrono::seconds(1U << std::min(attempt, 9U)));
      continue;
    }
    if (t.result == kOk) return kOk;
    refuse("evhttp_client", "(" + std::to_string(t.result) + ") " + t.message, t.result);
  }
}

namespace {

// Each step runs the loop until it has come to an end one way or the other.
void run(Transfer& t) {
  t.timer = make_timer(t.base.get(), on_timeout, &t);
  t.patience = make_timer(t.base.get(), on_no_continue, &t);
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
  // Without a question under way its sockets keep no loop running. A resolv.conf that names no
  // server is no error here: addresses and /etc/hosts need none.
  t.dns.reset(
      check(evdns_base_new(t.base.get(), EVDNS_BASE_DISABLE_WHEN_INACTIVE), "evdns_base_new"));
  evdns_base_resolv_conf_parse(t.dns.get(), DNS_OPTIONS_ALL, "/etc/resolv.conf");
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
  evhttp_connection* connection = t.connection.get();
  evhttp_connection_set_timeout(connection, 24 * 60 * 60);  // -m is the time-out
  evhttp_connection_set_max_headers_size(connection, kMaxHead);
  // A server that refuses early may close while we still send: what it said is to be read.
  evhttp_connection_set_flags(connection, EVHTTP_CON_READ_ON_WRITE_ERROR);
  evbuffer_add_cb(bufferevent_get_input(wire(t)), on_input, &t);
  t.awaits_continue = expects_continue(t.command);
  if (t.awaits_continue) start(t.patience, kContinueTime);
  t.starting = true;
  t.attempt_over = false;
  t.command.rpc_upper ? call(t) : request(t);
  t.starting = false;
  // connect(2) may fail at once, and then all has been said before there is a loop to end.
  if (!t.attempt_over) event_base_dispatch(t.base.get());
}

void call(Transfer& t) {
  t.call.emplace(t.connection.release(), *t.command.rpc_upper, on_call, on_reply, &t);
}

void request(Transfer& t) {
  evhttp_request* request = check(evhttp_request_new(on_response, &t), "evhttp_request_new");
  evhttp_request_set_error_cb(request, on_error);
  evhttp_request_set_chunked_cb(request, on_body);  // as it comes, chunked or not
  add_headers(t.command, evhttp_request_get_output_headers(request));
  evbuffer_add(evhttp_request_get_output_buffer(request), t.command.data.data(),
               t.command.data.size());
  evhttp_make_request(t.connection.get(), request, t.command.method, t.command.target.c_str());
}

void add_headers(const Command& command, evkeyvalq* headers) {
  const bool ipv6 = command.host.find(':') != std::string::npos;
  std::string host = ipv6 ? '[' + command.host + ']' : command.host;
  if (command.port != "80") host += ':' + command.port;
  evhttp_add_header(headers, "Host", host.c_str());
  if (!command.user.empty()) {
    evhttp_add_header(headers, "Authorization", ("Basic " + base64(command.user)).c_str());
  }
  evhttp_add_header(headers, "User-Agent", name_and_version('/').c_str());
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

void on_error(evhttp_request_error error, void* arg) { static_cast<Transfer*>(arg)->error = error; }

bool begins_like_an_answer(evbuffer* input) {
  constexpr std::string_view kVersion = "HTTP/";
  std::array<char, kVersion.size()> bytes{};
  const ev_ssize_t got = evbuffer_copyout(input, bytes.data(), bytes.size());
  return kVersion.starts_with(
      {bytes.data(), static_cast<std::size_t>(std::max<ev_ssize_t>(got, 0))});
}

bool expects_continue(const Command& command) {
  return std::ranges::any_of(command.headers, [](const auto& field) {
    return equals_ignoring_case(field.first, "expect") && !field.second.empty();
  });
}

// While evhttp writes it does not read: an answer that comes before the request is sent would wait,
// and a server that has said no stops reading. So nothing more is sent: the next send fails, and
// evhttp reads (EVHTTP_CON_READ_ON_WRITE_ERROR).
void stop_sending(bufferevent* bev) {
  const bool sending = evbuffer_get_length(bufferevent_get_output(bev)) != 0;
  if (sending) shutdown(bufferevent_getfd(bev), SHUT_WR);
}

// Until the head of the final answer has come, evhttp is not called: its low-water mark is just
// above what is there.
void on_input(evbuffer* input, const evbuffer_cb_info* change, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  if (change->n_added == 0 || t.status != 0 || t.finished) return;
  bufferevent* bev = wire(t);
  bufferevent_setwatermark(bev, EV_READ, 0, 0);
  while (t.status == 0) {
    const std::size_t size = evbuffer_get_length(input);
    const ev_ssize_t end = evbuffer_search(input, "\r\n\r\n", 4, nullptr).pos;
    if (end < 0) {  // what evhttp may see is what it can refuse
      const bool head = size < kMaxHead && begins_like_an_answer(input);
      return head ? bufferevent_setwatermark(bev, EV_READ, size + 1, 0) : void();
    }
    std::string head(static_cast<std::size_t>(end) + 4, '\0');
    evbuffer_copyout(input, head.data(), head.size());
    const ResponseHead found = parse_response_head(head);
    if (found.status == 0) return conclude(t, kWeirdReply, "not an HTTP reply");
    if (found.status == 100 && std::exchange(t.awaits_continue, false)) return;  // evhttp's
    evbuffer_drain(input, head.size());
    if (found.status < 200 && found.status != 101) continue;  // interim: the answer is to come
    t.status = found.status;
    if (found.chunked) t.chunks.emplace(UINT32_MAX);
    if (t.command.include_head) print(t, head);
    evbuffer_prepend(input, found.plain.data(), found.plain.size());
  }
  stop_sending(bev);
}

// A server that knows nothing of `Expect: 100-continue` says nothing. evhttp would wait for ever,
// so the word comes from us.
void on_no_continue(evutil_socket_t, short, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  if (!t.awaits_continue || t.attempt_over || t.status != 0) return;
  bufferevent* bev = wire(t);
  evbuffer* input = bufferevent_get_input(bev);
  const bool listens = (bufferevent_get_enabled(bev) & EV_READ) != 0;
  // Not even the head has gone out, or the server has begun to say something.
  if (!listens || evbuffer_get_length(input) != 0) return start(t.patience, kContinueTime);
  evbuffer_prepend(input, kContinue.data(), kContinue.size());
  bufferevent_trigger(bev, EV_READ, 0);
}

bufferevent* wire(const Transfer& t) {
  return evhttp_connection_get_bufferevent(t.call ? t.call->connection : t.connection.get());
}

void on_body(evhttp_request* response, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  evbuffer* body = evhttp_request_get_input_buffer(response);
  const auto* bytes = reinterpret_cast<const char*>(evbuffer_pullup(body, -1));
  const std::string_view piece(bytes, evbuffer_get_length(body));
  t.chunks ? decode(t, piece) : print(t, piece);
}

void decode(Transfer& t, std::string_view bytes) {
  if (t.finished) return;
  t.undecoded.append(bytes);
  std::size_t used = 0;
  ChunkedDecoder::Piece piece;
  do {
    piece = t.chunks->next(std::string_view(t.undecoded).substr(used));
    print(t, piece.data);
    used += piece.used;
  } while (piece.used != 0 && piece.result.kind == ParseResult::kNeedMore);
  t.undecoded.erase(0, used);
  if (piece.result.kind == ParseResult::kNeedMore) return;
  const bool good = piece.result.kind == ParseResult::kComplete;
  conclude(t, good ? kOk : kReceiveFailed, good ? "" : "a malformed chunk");
}

// As it comes: a body may be larger than memory. With -f an error has none, and neither has an
// answer that another attempt is to replace.
void print(Transfer& t, std::string_view bytes) {
  const bool unwanted = (t.command.fail && t.status >= 400) || (is_transient(t) && !t.last_attempt);
  if (bytes.empty() || unwanted || t.finished) return;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
  if (!written || std::fflush(stdout) != 0) conclude(t, kWriteError, "cannot write the output");
}

// The end of an attempt, good or bad. Bad: no response, or one without a status.
void on_response(evhttp_request* response, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  end_attempt(t);
  if (t.finished) return;
  if (response == nullptr || evhttp_request_get_response_code(response) == 0) {
    if (t.error == -1 || t.starting) return;  // no connection: the next address has its turn
    if (t.status != 0) return finish(t, kPartialBody, "the connection ended inside the body");
    if (t.error == EVREQ_HTTP_EOF) return finish(t, kEmptyReply, "empty reply");
    if (t.error == EVREQ_HTTP_INVALID_HEADER) return finish(t, kWeirdReply, "not an HTTP reply");
    return finish(t, kReceiveFailed, "the connection was lost");
  }
  if (t.chunks && t.command.method != EVHTTP_REQ_HEAD) {
    return finish(t, kPartialBody, "the connection ended inside the body");
  }
  finish(t, kOk, "");
}

// A remote call is a request that the framework makes; its fields are ours.
int on_call(void*, evhttp_request* request, evbuffer*, void* arg) {
  add_headers(static_cast<Transfer*>(arg)->command, evhttp_request_get_output_headers(request));
  return EVRPC_CONTINUE;
}

void on_reply(evrpc_status* status, UpperRequest*, UpperReply* reply, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  end_attempt(t);
  if (t.finished) return;
  t.status = status->http_req ? evhttp_request_get_response_code(status->http_req) : 0;
  if (t.starting) return;  // no connection: the next address has its turn
  if (status->http_req == nullptr) return finish(t, kEmptyReply, "no reply");
  if (t.status == 0) return;  // no connection: the next address has its turn
  if (t.status >= 300)
    return finish(t, kHttpError, "the server answered " + std::to_string(t.status));
  if (status->error != EVRPC_STATUS_ERR_NONE) return finish(t, kWeirdReply, "not an RPC reply");
  print(t, reply->text + '\n');
  if (!t.finished) finish(t, kOk, "");
}

void on_timeout(evutil_socket_t, short, void* arg) {
  Transfer& t = *static_cast<Transfer*>(arg);
  finish(t, kTimeout, "timed out");
  if (t.lookup != nullptr) return evdns_getaddrinfo_cancel(t.lookup);  // on_resolved ends the loop
  if (t.call) return t.call->hang_up();                                // and on_reply
  end_attempt(t);
}

// The connection is freed behind the loop: evhttp still uses it after its callbacks.
void end_attempt(Transfer& t) {
  t.attempt_over = true;
  event_base_loopbreak(t.base.get());
}

// In the middle of an answer: nothing more is waited for.
void conclude(Transfer& t, Exit result, const std::string& message) {
  end_attempt(t);
  finish(t, result, message);
}

void finish(Transfer& t, Exit result, const std::string& message) {
  const bool refused = result == kOk && t.command.fail && t.status >= 400;
  t.finished = true;
  t.result = refused ? kHttpError : result;
  t.message = refused ? "the server answered " + std::to_string(t.status) : message;
}

// What curl's --retry takes for an accident.
bool is_transient(const Transfer& t) {
  return t.result == kTimeout || t.result == kNoHost || t.status == 408 || t.status == 429 ||
         t.status == 500 || (t.status >= 502 && t.status <= 504);
}

}  // namespace
