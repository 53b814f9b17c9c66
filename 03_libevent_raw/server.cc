// Stage 3: the same reactor, by libevent.
//
// New here: event_base is the reactor, struct event the channel, event_add hangs it on the tree;
// timers are events like any other, one per connection, and so are signals. What was ours in stage
// 2 (the tree, the batch, the timer list, the signalfd) is the library's now.
//
// Not here, on purpose: buffering by the library (stage 4), TLS.

#include <event2/event_struct.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <list>
#include <memory>
#include <vector>

#include "03_libevent_raw/base.h"
#include "common/worker.h"

namespace {

struct Accepting {
  UniqueFd fd;
  Event ev;
};

struct Loop;
struct Connection;
struct Connections : std::list<Connection> {
  timeval timeout = {};  // of all of them
};

struct Connection {
  Connection(Loop& l, UniqueFd client, Protocol port);
  ~Connection();

  Loop& loop;
  UniqueFd fd;
  event ev = {};       // embedded: no allocation of its own
  short interest = 0;  // EV_READ or EV_WRITE; 0: it is not on the base
  event timer = {};
  std::unique_ptr<Session> session;
  Buffer out;         // owed to the client: what the kernel would not take yet
  Connections* home;  // the list it is in, and where
  Connections::iterator self;
};

struct Loop {
  Worker& worker;
  Base base;
  bool eager;  // try to send before asking whether it is possible
  Event starved = {},
        grace = {};  // timers: no descriptor was left; the drain has lasted long enough
  Event heartbeat = {};
  StopEvents signals = {};
  std::array<Accepting, 2> listeners = {};
  Connections serving = {}, expiring = {}, lingering = {}, closed = {};
  bool done = false;
};

void run(Worker& worker);
bool on_acceptable(Loop& loop, Protocol port);
void on_readable(Connection& c);
void on_writable(Connection& c);
void progress(Connection& c);
void watch(Connection& c, short interest, event_callback_fn handler);
void on_idle(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);
void enter(Connection& c, Connections& list);
void on_grace(Loop& loop);
void after_batch(Loop& loop);
// libevent calls a function with a pointer; the handlers want what it points to.
template <void (*handler)(Connection&)>
void call(evutil_socket_t, short, void* c) {
  handler(*static_cast<Connection*>(c));
}
template <void (*handler)(Loop&)>
void call(evutil_socket_t, short, void* loop) {
  handler(*static_cast<Loop*>(loop));
}
template <Protocol port>
void accept_on(evutil_socket_t, short, void* loop) {
  on_acceptable(*static_cast<Loop*>(loop), port);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_libevent();
  constexpr std::string_view kRearm[] = {"swap", "eager"};
  return serve(
      argc, argv,
      {.name = "03_libevent_raw", .number = 3, .rearm = kRearm, .libevent_bytes = libevent_bytes},
      Signals::by_stage, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker, make_base(worker.options), worker.options.rearm == "eager"};
  event_base* base = loop.base.get();
  loop.serving.timeout = common_timeout(base, worker.options.idle_timeout);
  loop.expiring.timeout = common_timeout(base, kLastLook);
  loop.lingering.timeout = common_timeout(base, kLinger);
  loop.starved = make_timer(base, call<after_batch>, &loop);
  loop.grace = make_timer(base, call<on_grace>, &loop);
  loop.heartbeat = hang_heartbeat(base, worker);
  loop.signals = hang_stop(base, worker, call<on_signal>, &loop);
  for (const Protocol port : {kText, kHttp}) {
    loop.listeners[port].fd = std::move(worker.listeners[port]);
    loop.listeners[port].ev = hang(base, loop.listeners[port].fd.get(), EV_READ,
                                   port == kText ? accept_on<kText> : accept_on<kHttp>, &loop);
  }
  while (!loop.done) {
    event_base_loop(base, EVLOOP_ONCE);
    worker.stats.wake_ups.add(1);
    after_batch(loop);
  }
}

// False when there is no more to accept now.
bool on_acceptable(Loop& loop, Protocol port) {
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    if (loop.worker.full()) return false;
    Accepted client = accept_client(loop.listeners[port].fd.get());
    if (client.result == AcceptResult::no_room) start(loop.starved, kStarved);
    if (client.result != AcceptResult::client) return false;
    Connection& c = loop.serving.emplace_back(loop, std::move(client.fd), port);
    c.self = std::prev(loop.serving.end());
    enter(c, loop.serving);
    watch(c, EV_READ, call<on_readable>);
    if (c.interest == 0) close_connection(c);  // the kernel had no memory for it
  }
  return true;
}

// One read per event, however much there is: the others wait too.
void on_readable(Connection& c) {
  const Io got = read_some(c.fd.get(), c.session->room());
  if (got.result == IoResult::failed) return close_connection(c);
  if (got.result == IoResult::eof) c.session->feed_eof();
  if (c.session->fed(got.bytes)) enter(c, c.loop.serving);
  c.session->advance(c.out, c.loop.worker.is_last_call(c.fd.get()));
  c.loop.eager ? on_writable(c) : progress(c);
}

void on_writable(Connection& c) {
  if (!c.out.empty()) {
    const Io sent = write_some(c.fd.get(), c.out.view());
    if (sent.result == IoResult::failed) return close_connection(c);
    c.out.consume(sent.bytes);
    if (c.session->sent(sent.bytes, c.out.empty())) enter(c, c.loop.serving);
  }
  progress(c);
}

// What next? While the client is owed bytes nothing more is read from it: a client that does not
// read cannot make us buffer more. Otherwise the session says whether the conversation goes on.
void progress(Connection& c) {
  if (c.out.empty()) c.session->advance(c.out, c.loop.worker.is_last_call(c.fd.get()));
  if (!c.out.empty()) return watch(c, EV_WRITE, call<on_writable>);
  const Session::Phase phase = c.session->phase();
  if (phase == Session::Phase::over) return close_connection(c);
  if (phase == Session::Phase::linger && c.home != &c.loop.lingering) {
    shutdown(c.fd.get(), SHUT_WR);
    enter(c, c.loop.lingering);
  }
  watch(c, EV_READ, call<on_readable>);
}

void watch(Connection& c, short interest, event_callback_fn handler) {
  if (c.interest == interest) return;
  if (c.interest != 0) event_del(&c.ev);
  const auto events = static_cast<short>(interest | EV_PERSIST);
  event_assign(&c.ev, c.loop.base.get(), c.fd.get(), events, handler, &c);
  c.interest = event_add(&c.ev, nullptr) == 0 ? interest : short{0};
}

// If what it waited for is there, it is we who are late: one last look, not judged by the clock.
void on_idle(Connection& c) {
  const bool owes = !c.out.empty();
  if (c.home == &c.loop.serving && is_ready(c.fd.get(), owes)) return enter(c, c.loop.expiring);
  if (owes || !c.session->expire(c.out)) return close_connection(c);
  enter(c, c.loop.serving);
  on_writable(c);
}

// The first request to stop drains, the second one ends it.
void on_signal(Loop& loop) {
  if (loop.worker.take_stop_requests() > 1 || loop.worker.draining) loop.done = true;
  loop.worker.draining = true;
  start(loop.grace, loop.worker.options.grace);
  for (const Protocol port : {kText, kHttp}) {
    if (!loop.listeners[port].fd) continue;
    while (on_acceptable(loop, port)) {
    }
    loop.listeners[port].ev.reset();
    loop.listeners[port].fd.reset();
  }
  std::vector<Connection*> silent;  // on_readable moves connections between the lists
  for (Connection& c : loop.serving) {
    if (c.out.empty()) silent.push_back(&c);
  }
  for (Connection* c : silent) on_readable(*c);
}

void close_connection(Connection& c) {
  event_del(&c.ev);
  event_del(&c.timer);
  c.interest = 0;
  enter(c, c.loop.closed);  // after_batch frees it
}

// To the end of a list: its clock starts anew.
void enter(Connection& c, Connections& list) {
  list.splice(list.end(), *c.home, c.self);
  c.home = &list;
  if (&list != &c.loop.closed) event_add(&c.timer, &list.timeout);
}

void on_grace(Loop& loop) { loop.done = true; }

void after_batch(Loop& loop) {
  if (!loop.closed.empty()) event_del(loop.starved.get());
  loop.closed.clear();
  if (loop.worker.draining && loop.worker.stats.open.get() == 0) loop.done = true;
  const bool accepting = !loop.worker.full() && evtimer_pending(loop.starved.get(), nullptr) == 0;
  for (Accepting& listener : loop.listeners) {
    if (!listener.fd || accepting == (event_pending(listener.ev.get(), EV_READ, nullptr) != 0))
      continue;
    accepting ? event_add(listener.ev.get(), nullptr) : event_del(listener.ev.get());
  }
}

Connection::Connection(Loop& l, UniqueFd client, Protocol port)
    : loop(l),
      fd(std::move(client)),
      session(make_session(port, l.worker.context)),
      out(l.worker.context.pool),
      home(&l.serving) {
  evtimer_assign(&timer, l.base.get(), call<on_idle>, this);
}

// For --libevent-debug, which remembers each event by its address.
Connection::~Connection() {
  event_debug_unassign(&ev);
  event_debug_unassign(&timer);
}

}  // namespace
