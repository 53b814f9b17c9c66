// Stage 4: bufferevents.
//
// New here: reading, writing and what is owed disappear into libevent. A bufferevent reads and
// writes by itself, and calls back when something has come or some has gone.
//
// Not here, on purpose: evhttp (evhttp_server.cc); TLS; bufferevent_set_timeouts, which restarts
// with every byte and has a clock per direction, where ours is one and waits for complete answers.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "03_libevent_raw/base.h"
#include "common/worker.h"

namespace {

struct Loop;
struct Connection;
using Connections = DeadlineList<Connection>;

struct Connection {
  Connection(Loop& l, UniqueFd client, Protocol port);
  int fd() const { return bufferevent_getfd(bev.get()); }

  Loop& loop;
  Bufferevent bev;
  size_t owed = 0;  // bytes in its output evbuffer when we last looked
  std::unique_ptr<Session> session;
  Connections* home;  // the list it is in, and where
  Connections::iterator self;
  Clock::time_point since;  // when its clock last started
};

struct Loop {
  Worker& worker;
  Base base;
  Timer timer;
  Buffer out;  // an answer on its way to an evbuffer
  Event heartbeat = {};
  StopEvents signals = {};
  std::array<Listener, 2> listeners = {};
  int accepted = 0;  // in this batch
  Connections serving{{}, worker.options.idle_timeout}, expiring{{}, kLastLook};
  Connections lingering{{}, kLinger}, closed = {};
  Clock::time_point starved_until = kNever;  // no descriptor was left: no accepting till then
  Clock::time_point grace_end = kNever;      // the drain must be over by then
  bool done = false;
};

void run(Worker& worker);
void on_acceptable(Loop& loop, UniqueFd client, Protocol port);
void on_readable(Connection& c);
void on_writable(Connection& c);
void progress(Connection& c);
void watch(Connection& c, short interest);
void on_idle(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);
void enter(Connection& c, Connections& list);
void on_event(bufferevent*, short what, void* c);
void on_starved(evconnlistener*, void* loop);
void listen(Loop& loop, bool on);
void on_timer(Loop& loop);
void after_batch(Loop& loop);
// libevent calls functions with pointers; the handlers want what they point to.
template <void (*handler)(Connection&)>
void call(bufferevent*, void* c) {
  handler(*static_cast<Connection*>(c));
}
template <void (*handler)(Loop&)>
void call(evutil_socket_t, short, void* loop) {
  handler(*static_cast<Loop*>(loop));
}
template <Protocol port>
void accepted_on(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* loop) {
  on_acceptable(*static_cast<Loop*>(loop), UniqueFd(fd), port);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_libevent();
  return serve(argc, argv,
               {.name = "04_bufferevent_http", .number = 4, .libevent_bytes = libevent_bytes},
               Signals::by_stage, run);
}

namespace {

void run(Worker& worker) {
  Base owner = make_base(worker.options);
  event_base* base = owner.get();
  Loop loop{worker, std::move(owner), Timer(base, call<on_timer>, &loop),
            Buffer(worker.context.pool)};
  loop.heartbeat = hang_heartbeat(base, worker);
  loop.signals = hang_stop(base, worker, call<on_signal>, &loop);
  for (const Protocol port : {kText, kHttp}) {
    loop.listeners[port] =
        make_listener(base, std::move(worker.listeners[port]),
                      port == kText ? accepted_on<kText> : accepted_on<kHttp>, on_starved, &loop);
  }
  while (!loop.done) {
    event_base_loop(base, EVLOOP_ONCE);
    worker.wake_up();
    after_batch(loop);
  }
}

// evconnlistener accepts until the queue is empty; disabling it is how to stop it earlier.
void on_acceptable(Loop& loop, UniqueFd client, Protocol port) {
  Connection& c = loop.serving.emplace_back(loop, std::move(client), port);
  c.self = std::prev(loop.serving.end());
  enter(c, loop.serving);
  watch(c, EV_READ);
  if (++loop.accepted == kAcceptsPerEvent || loop.worker.full()) listen(loop, false);
}

// libevent reads at most 4 KiB per event, so this is bounded like the read of the other stages.
void on_readable(Connection& c) {
  evbuffer* input = bufferevent_get_input(c.bev.get());
  while (evbuffer_get_length(input) != 0) {
    const std::span<char> room = c.session->room();
    const int got = evbuffer_remove(input, room.data(), room.size());
    if (c.session->fed(static_cast<size_t>(got))) enter(c, c.loop.serving);
  }
  progress(c);
}

// libevent has written some of what is owed.
void on_writable(Connection& c) {
  const size_t left = evbuffer_get_length(bufferevent_get_output(c.bev.get()));
  const size_t sent = std::exchange(c.owed, left) - left;
  if (c.session->sent(sent, left == 0)) enter(c, c.loop.serving);
  progress(c);
}

// What next? While the client is owed much nothing more is read from it: a client that does not
// read cannot make us buffer more. Otherwise the session says whether the conversation goes on.
void progress(Connection& c) {
  Buffer& out = c.loop.out;
  if (c.owed < Session::kHighWater) {
    c.session->advance(out, c.loop.worker.is_last_call(c.fd()));
    if (!out.empty()) bufferevent_write(c.bev.get(), out.view().data(), out.size());
    c.owed += out.size();
    out.clear();
  }
  if (c.owed >= Session::kHighWater) return watch(c, 0);
  const Session::Phase phase = c.session->phase();
  if (phase == Session::Phase::over && c.owed == 0) return close_connection(c);
  if (phase == Session::Phase::linger && c.owed == 0 && c.home != &c.loop.lingering) {
    shutdown(c.fd(), SHUT_WR);
    enter(c, c.loop.lingering);
  }
  watch(c, phase == Session::Phase::over ? 0 : EV_READ);
}

// Writing is always watched by the bufferevent itself, as long as it owes something.
void watch(Connection& c, short interest) {
  if ((bufferevent_get_enabled(c.bev.get()) & EV_READ) == interest) return;
  interest == 0 ? bufferevent_disable(c.bev.get(), EV_READ)
                : bufferevent_enable(c.bev.get(), interest);
}

// If what it waited for is there, it is we who are late: one last look, not judged by the clock.
void on_idle(Connection& c) {
  const bool owes = c.owed != 0;
  if (c.home == &c.loop.serving && is_ready(c.fd(), owes)) return enter(c, c.loop.expiring);
  if (owes || !c.session->expire(c.loop.out)) return close_connection(c);
  enter(c, c.loop.serving);
  progress(c);
}

// The first request to stop drains, the second one ends it.
void on_signal(Loop& loop) {
  if (loop.worker.take_stop_requests() > 1 || loop.worker.draining) loop.done = true;
  loop.worker.draining = true;
  loop.grace_end = Clock::now() + loop.worker.options.grace;
  for (const Protocol port : {kText, kHttp}) {
    if (!loop.listeners[port]) continue;
    const int fd = evconnlistener_get_fd(loop.listeners[port].get());
    for (Accepted next; (next = accept_client(fd)).result == AcceptResult::client;) {
      on_acceptable(loop, std::move(next.fd), port);
    }
    loop.listeners[port].reset();
  }
  std::vector<Connection*> silent;  // on_readable moves connections between the lists
  for (Connection& c : loop.serving) {
    if (c.owed == 0) silent.push_back(&c);
  }
  for (Connection* c : silent) on_readable(*c);
}

void close_connection(Connection& c) {
  bufferevent_disable(c.bev.get(), EV_READ | EV_WRITE);
  enter(c, c.loop.closed);  // after_batch frees it
}

// To the end of a list: its clock starts anew.
void enter(Connection& c, Connections& list) {
  list.splice(list.end(), *c.home, c.self);
  c.home = &list;
  c.since = Clock::now();  // event_base_loop gives no hook between waiting and the first callback
}

// Neither readable nor writable: the peer has ended its side, or the connection is gone.
void on_event(bufferevent*, short what, void* arg) {
  Connection& c = *static_cast<Connection*>(arg);
  if ((what & BEV_EVENT_ERROR) != 0) return close_connection(c);
  c.session->feed_eof();
  progress(c);
}

void on_starved(evconnlistener*, void* arg) {
  Loop& loop = *static_cast<Loop*>(arg);
  loop.starved_until = Clock::now() + kStarved;
  listen(loop, false);
}

void listen(Loop& loop, bool on) {
  for (const Listener& listener : loop.listeners) {
    if (!listener) continue;
    on ? evconnlistener_enable(listener.get()) : evconnlistener_disable(listener.get());
  }
}

void on_timer(Loop& loop) {
  const Clock::time_point now = Clock::now();
  for (Connections* list : {&loop.serving, &loop.expiring, &loop.lingering}) {
    while (due(*list) <= now) on_idle(list->front());
  }
  if (loop.grace_end <= now) loop.done = true;
}

void after_batch(Loop& loop) {
  if (!loop.closed.empty() || loop.starved_until <= loop.worker.now) loop.starved_until = kNever;
  loop.closed.clear();
  loop.accepted = 0;
  if (loop.worker.draining && loop.worker.stats.open.get() == 0) loop.done = true;
  listen(loop, !loop.worker.full() && loop.starved_until == kNever);
  loop.timer.at(std::min({due(loop.serving), due(loop.expiring), due(loop.lingering),
                          loop.grace_end, loop.starved_until}));
}

Connection::Connection(Loop& l, UniqueFd client, Protocol port)
    : loop(l),
      bev(bufferevent_socket_new(l.base.get(), client.release(), BEV_OPT_CLOSE_ON_FREE)),
      session(make_session(port, l.worker.context)),
      home(&l.serving) {
  bufferevent_setcb(bev.get(), call<on_readable>, call<on_writable>, on_event, this);
  // Tell on_writable of every write, not only of the one that leaves nothing.
  bufferevent_setwatermark(bev.get(), EV_WRITE, SIZE_MAX, 0);
}

}  // namespace
