// Stage 4, second half: the HTTP service on libevent's own HTTP server.
//
// New here: evhttp reads, parses and frames; we get complete requests and hand back complete
// answers. The application is the same (routes.h): one application, two HTTP engines. Around it
// stands what evhttp leaves to its user: a guard that reads along and refuses what could be read in
// two ways, one deadline for a whole request, a bound for what a client may send ahead, and closing
// without losing the last word.
//
// Not here, on purpose: the text port; TLS. What evhttp does otherwise stands in
// notes/05_evhttp.md.

#include <event2/http.h>
#include <event2/http_struct.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "03_libevent_raw/base.h"
#include "04_bufferevent_http/evhttp_message.h"
#include "04_bufferevent_http/guard.h"
#include "04_bufferevent_http/upper_rpc.h"
#include "common/deadlines.h"
#include "common/http_response.h"
#include "common/serve.h"

namespace {

struct FreeHttp {
  void operator()(evhttp* http) const { evhttp_free(http); }
};
using Http = std::unique_ptr<evhttp, FreeHttp>;

struct Loop;

// What evhttp does not tell about its connections: that they exist, and whether one is idle.
struct Connection {
  Loop& loop;
  bufferevent* bev;      // evhttp's; null: evhttp has closed, and the client is heard out
  bool started = false;  // bytes of a request have come that was not answered yet
  bool owed = false;     // an answer is on its way out
  bool closes = false;   // it says that it is the last one
  bool refused = false;  // without us: it will be closed, with input still to come
  std::optional<Guard> guard = {};
  int verdict = 0;           // the guard's: refuse what comes behind the answers that are due
  std::size_t answered = 0;  // of the requests that the guard let pass
  UniqueFd socket = {};      // once evhttp has closed: ours, until the client has been heard out
  Event rest = {};           // what it still sends
  Deadlines<Connection>::Place place = {};
};

struct Loop {
  Worker& worker;
  Base base = make_base(worker.options);
  Timer timer{base.get()};
  Event heartbeat = add_heartbeat(base.get(), worker);
  StopEvents signals = {};
  Deadlines<Connection> deadlines{worker.options.idle_timeout, worker.now};
  std::unordered_map<const bufferevent*, Connection*> by_bev = {};
  std::vector<Connection*> accepted = {};  // in this batch
  std::optional<UpperService> rpc = {};
  Http http{check(evhttp_new(base.get()), "evhttp_new")};  // before the connections it reports to
  evhttp_bound_socket* listener = nullptr;
};

// What a client may send beyond one body: a head, and some of the next requests.
constexpr std::size_t kAhead = 64 * 1024;

// For on_starved: a listener has one argument for both of its callbacks, and that is evhttp's.
thread_local Loop* loop_of_thread = nullptr;

void run(Worker& worker);
void configure(Loop& loop);
bufferevent* on_acceptable(event_base* base, void* loop);
void on_request(evhttp_request* message, void* loop);
evhttp_connection* connection_of(const Connection& c);
bool is_last_answer(const Connection& c);
bool says_close(evhttp_request* answered);
void on_input(evbuffer* input, const evbuffer_cb_info* change, void* c);
void show_to_guard(Connection& c, evbuffer* input, std::size_t count);
void take_over(Connection& c);
void refuse_when_due(Connection& c);
void refuse(Connection& c, int status);
void on_last_word(bufferevent*, void* connection);
bool is_refusal(evbuffer* output, std::size_t at);
void on_output(evbuffer* output, const evbuffer_cb_info* change, void* c);
void on_time_up(Connection& c);
void on_signal(Loop& loop);
void stop_listening(Loop& loop);
void on_close(evhttp_connection* connection, void* c);
void on_rest(evutil_socket_t, short, void* c);
void on_starved(evconnlistener*, void*);
void listen(Loop& loop, bool on);
void drain(Loop& loop);
void after_batch(Loop& loop);

template <void (*handler)(Loop&)>
void call(evutil_socket_t, short, void* loop) {
  static_cast<Loop*>(loop)->worker.read_clock();
  handler(*static_cast<Loop*>(loop));
}

}  // namespace

int main(int argc, char** argv) {
  prepare_libevent();
  return serve(
      argc, argv,
      {.name = "evhttp_server",
       .number = 5,
       .text = false,
       .flags = libevent_flags({{"no-guard", nullptr, "let evhttp alone judge what comes"}}),
       .gauges = kLibeventGauges},
      Signals::by_stage, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker};
  event_base* base = loop.base.get();
  configure(loop);
  loop.rpc.emplace(base);
  loop.signals = add_stop_events(base, worker, call<on_signal>, &loop);
  // Not evhttp_bind_socket_with_handle: it sets SO_KEEPALIVE, listens with a backlog of 128, knows
  // one address per name, and would bind a second time for a second loop.
  loop.listener = check(
      evhttp_accept_socket_with_handle(loop.http.get(), worker.take_listener(kHttp).release()),
      "evhttp_accept_socket_with_handle");
  loop_of_thread = &loop;
  evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(loop.listener), on_starved);
  while (!worker.admission.over()) {
    listen(loop, worker.admission.accepting());
    loop.timer.at(std::min(loop.deadlines.next(), worker.admission.next_deadline()));
    event_base_loop(base, EVLOOP_ONCE);
    worker.wake_up();
    after_batch(loop);
    if (worker.admission.draining() && loop.listener != nullptr) stop_listening(loop);
  }
}

void configure(Loop& loop) {
  evhttp* http = loop.http.get();
  evhttp_set_gencb(http, on_request, &loop);  // every path: the routes know which there are
  evhttp_set_bevcb(http, on_acceptable, &loop);
  evhttp_set_max_body_size(http, loop.worker.options.max_body);
  constexpr int kMethodAndVersion = 128;  // evhttp has one limit for all of a head
  evhttp_set_max_headers_size(
      http, HttpParser::kMaxTarget + kMethodAndVersion + HttpParser::kMaxFieldLines);
  constexpr int kAllMethods = (EVHTTP_REQ_PATCH << 1) - 1;  // so that 405 is ours, with Allow
  evhttp_set_allowed_methods(http, kAllMethods);
  evhttp_set_default_content_type(http, nullptr);
  // No evhttp_set_timeout: its clock restarts with every byte, and a slow sender would stay for
  // ever. No EVHTTP_SERVER_LINGERING_CLOSE: it reads all of a body that is too large, be it
  // gigabytes, before it says so. on_time_up and on_close do both.
}

// evhttp has accepted a client and asks for a bufferevent without a descriptor.
bufferevent* on_acceptable(event_base* base, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  bufferevent* bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  if (bev == nullptr) return nullptr;  // no memory: evhttp tries itself, on_request refuses
  loop.worker.read_clock();
  Connection& c = loop.deadlines.add({loop, bev});
  if (!loop.worker.options.has("no-guard")) {
    c.guard.emplace(loop.worker.context.pool, loop.worker.options.max_body);
  }
  loop.by_bev.emplace(bev, &c);
  loop.worker.admission.entered();
  evbuffer_add_cb(bufferevent_get_input(bev), on_input, &c);
  evbuffer_add_cb(bufferevent_get_output(bev), on_output, &c);
  loop.accepted.push_back(&c);
  // Whose the bufferevent is, evhttp says only after this. To be told when it is freed we must ask
  // before anything else runs: so the batch ends here.
  event_base_loopbreak(base);
  if (!loop.worker.admission.accepting() && !loop.worker.admission.draining()) listen(loop, false);
  return bev;
}

void on_request(evhttp_request* message, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  bufferevent* bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(message));
  const auto known = loop.by_bev.find(bev);
  if (known == loop.by_bev.end()) return evhttp_send_error(message, HTTP_SERVUNAVAIL, nullptr);
  Connection& c = *known->second;
  c.started = evbuffer_get_length(bufferevent_get_input(bev)) != 0;
  c.owed = true;
  const Request request = to_request(message);
  const bool rpc = request.path == UpperService::kPath;
  const auto response = rpc ? UpperService::refuse(request, loop.worker.context.app)
                            : respond(request, loop.worker.context);
  if ((response && response->status == 400) || is_last_answer(c)) {
    evhttp_add_header(evhttp_request_get_output_headers(message), "Connection", "close");
  }
  response ? send_response(message, *response) : loop.rpc->answer(message);
  c.closes = says_close(message);
  loop.worker.stats.requests.add(1);
  // evhttp reads on while it writes, and takes a FIN for the end of everything: the answer, too.
  bufferevent_disable(bev, EV_READ);
}

// evhttp gives each bufferevent callbacks of its own, and them the connection as argument.
evhttp_connection* connection_of(const Connection& c) {
  void* connection = nullptr;
  bufferevent_getcb(c.bev, nullptr, nullptr, nullptr, &connection);
  return static_cast<evhttp_connection*>(connection);
}

// The server drains, and nothing more has come from this client.
bool is_last_answer(const Connection& c) {
  return !c.started && c.loop.worker.is_drained(bufferevent_getfd(c.bev));
}

// HTTP/1.0 says it by saying nothing.
bool says_close(evhttp_request* answered) {
  const char* said = evhttp_find_header(evhttp_request_get_output_headers(answered), "Connection");
  return said != nullptr ? said == std::string_view("close") : answered->minor == 0;
}

// Where evhttp waits for a line's end or a body's, it reads on for ever. Beyond what a body may be
// nothing more is read: on_time_up ends it. (A high-water mark of the bufferevent would do the
// same, but as long as the buffer is full libevent 2.1 calls the reader again in every turn, at
// once.)
void on_input(evbuffer* input, const evbuffer_cb_info* change, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  c.loop.worker.stats.bytes_in.add(change->n_added);
  if (change->n_added == 0) return;
  c.started = true;
  if (c.guard && c.verdict == 0 && !c.refused) show_to_guard(c, input, change->n_added);
  const std::size_t most = c.loop.worker.options.max_body + kAhead;
  if (evbuffer_get_length(input) > most) bufferevent_disable(c.bev, EV_READ);
}

// Called before evhttp may look at what has come. The way to its end leads through all that waits
// before it: megabytes of a body would be passed again and again.
void show_to_guard(Connection& c, evbuffer* input, std::size_t count) {
  if (c.guard->skip(count)) return;
  std::string bytes(count, '\0');
  evbuffer_ptr at{};
  evbuffer_ptr_set(input, &at, evbuffer_get_length(input) - count, EVBUFFER_PTR_SET);
  evbuffer_copyout_from(input, &at, bytes.data(), bytes.size());
  c.verdict = c.guard->look(bytes);
  refuse_when_due(c);
}

// The connection ends when all is sent. What has come is thrown away, and evhttp is not called any
// more.
void take_over(Connection& c) {
  evbuffer* input = bufferevent_get_input(c.bev);
  evbuffer_drain(input, evbuffer_get_length(input));
  bufferevent_setcb(
      c.bev, nullptr, on_last_word,
      [](bufferevent* bev, short, void* connection) { on_last_word(bev, connection); },
      connection_of(c));
  bufferevent_disable(c.bev, EV_READ);
  bufferevent_enable(c.bev, EV_WRITE);
}

// What the guard refuses stands behind the requests that it let pass: their answers go out first.
void refuse_when_due(Connection& c) {
  if (c.verdict != 0 && c.answered == c.guard->complete()) refuse(c, c.verdict);
}

// Says no in evhttp's place.
void refuse(Connection& c, int status) {
  take_over(c);
  Context& context = c.loop.worker.context;
  Buffer out(context.pool);
  render(out, error_response(status), context.date, ConnectionOption::close, c.guard->is_head());
  bufferevent_write(c.bev, out.view().data(), out.size());
}

// All has gone out, or cannot.
void on_last_word(bufferevent*, void* connection) {
  evhttp_connection_free(static_cast<evhttp_connection*>(connection));  // on_close
}

// Does an answer of 400 or above begin there? (evbuffer_copyout reads nothing from the output: but
// for the bufferevent's own writing, its front is frozen.)
bool is_refusal(evbuffer* output, std::size_t at) {
  constexpr std::size_t kStatus = 9;  // behind "HTTP/1.1 "
  evbuffer_ptr from{};
  evbuffer_ptr_set(output, &from, at, EVBUFFER_PTR_SET);
  evbuffer_iovec line{};  // evhttp prints it into one piece
  evbuffer_peek(output, -1, &from, &line, 1);
  return line.iov_len > kStatus && static_cast<const char*>(line.iov_base)[kStatus] >= '4';
}

// Errors are answered without asking us: by evhttp, and by the guard.
void on_output(evbuffer* output, const evbuffer_cb_info* change, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  c.loop.worker.stats.bytes_out.add(change->n_deleted);
  if (change->n_added != 0 && !c.owed && !c.refused && is_refusal(output, change->orig_size)) {
    c.refused = true;
    c.loop.worker.stats.requests.add(1);
  }
  if (change->n_deleted == 0 || evbuffer_get_length(output) != 0) return;
  if (!std::exchange(c.owed, false)) return;  // a 100 has gone out, or a refusal
  c.loop.worker.read_clock();
  c.loop.deadlines.restart_clock(c);
  ++c.answered;
  if (c.closes) return take_over(c);  // evhttp goes on behind a CONNECT
  refuse_when_due(c);
}

// If what it waited for is there, it is we who are late: one last look, not judged by the clock.
void on_time_up(Connection& c) {
  if (c.bev == nullptr) return c.loop.deadlines.close(c);
  const bool owes = evbuffer_get_length(bufferevent_get_output(c.bev)) != 0;
  if (is_ready(bufferevent_getfd(c.bev), owes) && c.loop.deadlines.last_look(c)) return;
  const bool half = c.guard && c.started && !c.owed && !c.refused;
  if (half && c.loop.deadlines.linger(c)) return refuse(c, 408);
  evhttp_connection_free(connection_of(c));  // on_close
}

// The first request to stop drains, the second one ends it.
void on_signal(Loop& loop) { loop.worker.stop_all_loops(loop.worker.read_stop_requests()); }

// Who waits in the accept queue is served, batch by batch.
void stop_listening(Loop& loop) {
  const Admission& admission = loop.worker.admission;
  const int fd = evhttp_bound_socket_get_fd(loop.listener);
  listen(loop, true);
  while (is_ready(fd, false) && !admission.cut_short() && !admission.paused()) {
    event_base_loop(loop.base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    loop.worker.read_clock();
    after_batch(loop);
  }
  evhttp_del_accept_socket(loop.http.get(), std::exchange(loop.listener, nullptr));
  after_batch(loop);
}

// evhttp lets the connection go. Where the client may still be sending, the socket is kept: closing
// it would reset it, and the answer with it.
void on_close(evhttp_connection* connection, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  evhttp_connection_set_closecb(connection, nullptr, nullptr);
  evbuffer_remove_cb(bufferevent_get_input(c.bev), on_input, &c);
  evbuffer_remove_cb(bufferevent_get_output(c.bev), on_output, &c);
  c.loop.by_bev.erase(c.bev);
  bufferevent* bev = std::exchange(c.bev, nullptr);
  const int fd = bufferevent_getfd(bev);
  if (c.answered == 0 && !c.refused && bytes_waiting(fd) == 0) return c.loop.deadlines.close(c);
  bufferevent_setfd(bev, -1);
  c.socket.reset(fd);
  shutdown(fd, SHUT_WR);
  c.rest = add_event(c.loop.base.get(), fd, EV_READ, on_rest, &c);
  c.loop.deadlines.restart_clock(c);  // a 408 that could not go out has used up its time
  c.loop.deadlines.linger(c);
}

void on_rest(evutil_socket_t fd, short, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  Buffer discarded(c.loop.worker.context.pool);
  const IoResult result = read_some(fd, discarded).result;
  if (result == IoResult::eof || result == IoResult::failed) c.loop.deadlines.close(c);
}

void on_starved(evconnlistener*, void*) {
  Loop& loop = *loop_of_thread;
  loop.worker.read_clock();
  loop.worker.admission.pause();
  listen(loop, false);
}

void listen(Loop& loop, bool on) {
  if (loop.listener == nullptr) return;
  evconnlistener* listener = evhttp_bound_socket_get_listener(loop.listener);
  on ? evconnlistener_enable(listener) : evconnlistener_disable(listener);
}

// Once per batch while draining. evhttp says of a request when its answer has gone out, if asked
// (evhttp_request_set_on_complete_cb); but an idle connection has no request, and of its own
// refusals it says nothing.
void drain(Loop& loop) {
  std::vector<evhttp_connection*> idle;  // freeing one takes it out of the table
  for (const auto& [bev, c] : loop.by_bev) {
    const bool owes = evbuffer_get_length(bufferevent_get_output(c->bev)) != 0;
    if (!owes && is_last_answer(*c)) idle.push_back(connection_of(*c));
  }
  for (evhttp_connection* connection : idle) evhttp_connection_free(connection);
}

void after_batch(Loop& loop) {
  for (Connection* c : loop.accepted) {
    if (c->bev != nullptr) evhttp_connection_set_closecb(connection_of(*c), on_close, c);
  }
  loop.accepted.clear();
  loop.deadlines.expire(on_time_up);
  if (loop.worker.admission.draining()) drain(loop);
  loop.worker.admission.left(loop.deadlines.free_closed());
}

}  // namespace
