// Stage 4, second half: the HTTP service on libevent's own HTTP server.
//
// New here: evhttp reads, parses and frames; we get complete requests and hand back complete
// answers. The application is the same (routes.h): one application, two HTTP engines.
//
// Not here, on purpose: the text port; the shared parser and its strictness, one deadline for a
// whole request, 408 and 431 (notes/05_evhttp.md lists what evhttp does instead); TLS.

#include <event2/thread.h>

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "03_libevent_raw/base.h"
#include "04_bufferevent_http/evhttp_message.h"
#include "04_bufferevent_http/upper_rpc.h"
#include "common/worker.h"

namespace {

struct FreeHttp {
  void operator()(evhttp* http) const { evhttp_free(http); }
};
using Http = std::unique_ptr<evhttp, FreeHttp>;

struct Loop;

// What evhttp does not tell about its connections: that they exist, and whether one is idle.
struct Connection {
  Loop& loop;
  bufferevent* bev;      // evhttp's
  bool started = false;  // bytes of a request have come that was not answered yet
};

struct Loop {
  Worker& worker;
  Base base;
  std::unordered_map<const bufferevent*, Connection> connections = {};
  std::vector<Connection*> accepted = {};  // in this batch
  std::optional<UpperService> rpc = {};
  Http http = {};  // is freed before the connections it reports to are
  evhttp_bound_socket* listener = nullptr;
  Event starved = {}, grace = {};  // timers: no descriptor was left; the drain has lasted enough
  Event heartbeat = {};
  StopEvents signals = {};
  bool done = false;
};

// For on_starved: a listener has one argument for both of its callbacks, and that is evhttp's.
thread_local Loop* loop_of_thread = nullptr;

void run(Worker& worker);
void configure(Loop& loop);
bufferevent* on_acceptable(event_base* base, void* loop);
void on_request(evhttp_request* message, void* loop);
evhttp_connection* connection_of(const Connection& c);
bool is_last_call(const Connection& c);
void on_input(evbuffer*, const evbuffer_cb_info* change, void* c);
void on_output(evbuffer*, const evbuffer_cb_info* change, void* c);
void on_signal(Loop& loop);
void stop_listening(Loop& loop);
void on_close(evhttp_connection* connection, void* c);
void on_grace(Loop& loop);
void on_starved(evconnlistener*, void*);
void listen(Loop& loop, bool on);
void drain(Loop& loop);
void after_batch(Loop& loop);

template <void (*handler)(Loop&)>
void call(evutil_socket_t, short, void* loop) {
  handler(*static_cast<Loop*>(loop));
}

}  // namespace

int main(int argc, char** argv) {
  prepare_libevent();
  check(evthread_use_pthreads(), "evthread_use_pthreads");
  return serve(
      argc, argv,
      {.name = "evhttp_server", .number = 5, .text = false, .libevent_bytes = libevent_bytes},
      Signals::by_stage, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker, make_base(worker.options)};
  event_base* base = loop.base.get();
  loop.http.reset(check(evhttp_new(base), "evhttp_new"));
  configure(loop);
  loop.rpc.emplace(base);
  loop.starved = make_timer(base, call<after_batch>, &loop);
  loop.grace = make_timer(base, call<on_grace>, &loop);
  loop.heartbeat = hang_heartbeat(base, worker);
  loop.signals = hang_stop(base, worker, call<on_signal>, &loop);
  // Not evhttp_bind_socket_with_handle: it would set SO_REUSEADDR only, know one address per name
  // and bind a second time for a second loop.
  loop.listener =
      check(evhttp_accept_socket_with_handle(loop.http.get(), worker.listeners[kHttp].release()),
            "evhttp_accept_socket_with_handle");
  loop_of_thread = &loop;
  evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(loop.listener), on_starved);
  while (!loop.done) {
    event_base_loop(base, EVLOOP_ONCE);
    worker.wake_up();
    after_batch(loop);
    if (worker.draining && loop.listener != nullptr) stop_listening(loop);
  }
}

void configure(Loop& loop) {
  evhttp* http = loop.http.get();
  const Options& options = loop.worker.options;
  evhttp_set_gencb(http, on_request, &loop);  // every path: the routes know which there are
  evhttp_set_bevcb(http, on_acceptable, &loop);
  evhttp_set_max_body_size(http, options.max_body);
  evhttp_set_max_headers_size(http, HttpParser::kMaxTarget + HttpParser::kMaxFieldLines);
  constexpr int kAllMethods = (EVHTTP_REQ_PATCH << 1) - 1;  // so that 405 is ours, with Allow
  evhttp_set_allowed_methods(http, kAllMethods);
  evhttp_set_default_content_type(http, nullptr);
  evhttp_set_flags(http, EVHTTP_SERVER_LINGERING_CLOSE);  // or a 413 drowns in a reset
  const timeval idle = to_timeval(options.idle_timeout);
  evhttp_set_timeout_tv(http, &idle);
}

// evhttp has accepted a client and asks for a bufferevent without a descriptor.
bufferevent* on_acceptable(event_base* base, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  bufferevent* bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  if (bev == nullptr) return nullptr;  // no memory: evhttp tries itself, on_request refuses
  Connection& c = loop.connections.try_emplace(bev, Connection{loop, bev}).first->second;
  evbuffer_add_cb(bufferevent_get_input(bev), on_input, &c);
  evbuffer_add_cb(bufferevent_get_output(bev), on_output, &c);
  loop.accepted.push_back(&c);
  loop.worker.stats.accepted.add(1);
  loop.worker.stats.open.add(1);
  if (loop.worker.full()) listen(loop, false);
  return bev;
}

void on_request(evhttp_request* message, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  bufferevent* bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(message));
  const auto known = loop.connections.find(bev);
  if (known == loop.connections.end()) return evhttp_send_error(message, HTTP_SERVUNAVAIL, nullptr);
  Connection& c = known->second;
  c.started = evbuffer_get_length(bufferevent_get_input(bev)) != 0;
  const Request request = to_request(message);
  const bool rpc = request.path == UpperService::kPath;
  const auto response = rpc ? UpperService::refuse(request, loop.worker.context.app)
                            : respond(request, loop.worker.context);
  if ((response && response->status == 400) || is_last_call(c)) {
    evhttp_add_header(evhttp_request_get_output_headers(message), "Connection", "close");
  }
  response ? send_response(message, *response) : loop.rpc->answer(message);
  loop.worker.stats.requests.add(1);
}

// evhttp gives each bufferevent callbacks of its own, and them the connection as argument.
evhttp_connection* connection_of(const Connection& c) {
  void* connection = nullptr;
  bufferevent_getcb(c.bev, nullptr, nullptr, nullptr, &connection);
  return static_cast<evhttp_connection*>(connection);
}

// The server drains, and nothing more has come from this client.
bool is_last_call(const Connection& c) {
  return !c.started && c.loop.worker.is_last_call(bufferevent_getfd(c.bev));
}

void on_input(evbuffer*, const evbuffer_cb_info* change, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  c.loop.worker.stats.bytes_in.add(change->n_added);
  if (change->n_added != 0) c.started = true;
}

void on_output(evbuffer*, const evbuffer_cb_info* change, void* arg) {
  static_cast<Connection*>(arg)->loop.worker.stats.bytes_out.add(change->n_deleted);
}

// The first request to stop drains, the second one ends it.
void on_signal(Loop& loop) {
  if (loop.worker.take_stop_requests() > 1 || loop.worker.draining) loop.done = true;
  loop.worker.draining = true;
  start(loop.grace, loop.worker.options.grace);
}

// Who waits in the accept queue is served. Turn by turn: without EVLOOP_ONCE libevent might accept,
// answer and free a client before after_batch knows it.
void stop_listening(Loop& loop) {
  const int fd = evhttp_bound_socket_get_fd(loop.listener);
  while (!loop.done && is_ready(fd, false) && evtimer_pending(loop.starved.get(), nullptr) == 0) {
    event_base_loop(loop.base.get(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    after_batch(loop);
  }
  evhttp_del_accept_socket(loop.http.get(), std::exchange(loop.listener, nullptr));
  after_batch(loop);
}

void on_close(evhttp_connection* connection, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  evhttp_connection_set_closecb(connection, nullptr, nullptr);
  evbuffer_remove_cb(bufferevent_get_input(c.bev), on_input, &c);
  evbuffer_remove_cb(bufferevent_get_output(c.bev), on_output, &c);
  c.loop.worker.stats.open.subtract(1);
  c.loop.connections.erase(c.bev);
}

void on_grace(Loop& loop) { loop.done = true; }

void on_starved(evconnlistener*, void*) {
  Loop& loop = *loop_of_thread;
  start(loop.starved, kStarved);
  listen(loop, false);
}

void listen(Loop& loop, bool on) {
  if (loop.listener == nullptr) return;
  evconnlistener* listener = evhttp_bound_socket_get_listener(loop.listener);
  on ? evconnlistener_enable(listener) : evconnlistener_disable(listener);
}

// Once per batch while draining, because evhttp does not say when an answer has gone out.
void drain(Loop& loop) {
  std::vector<evhttp_connection*> idle;  // freeing one takes it out of the table
  for (const auto& [bev, c] : loop.connections) {
    const bool owes = evbuffer_get_length(bufferevent_get_output(c.bev)) != 0;
    if (!owes && is_last_call(c)) idle.push_back(connection_of(c));
  }
  for (evhttp_connection* connection : idle) evhttp_connection_free(connection);
}

void after_batch(Loop& loop) {
  // Only now: while it was being accepted, evhttp had not said yet whose the bufferevent is.
  for (Connection* c : loop.accepted) {
    evhttp_connection_set_closecb(connection_of(*c), on_close, c);
  }
  loop.accepted.clear();
  listen(loop, !loop.worker.full() && evtimer_pending(loop.starved.get(), nullptr) == 0);
  if (!loop.worker.draining) return;
  drain(loop);
  if (loop.connections.empty() && loop.listener == nullptr) loop.done = true;
}

}  // namespace
