// Stage 3: the same reactor, by libevent.
//
// New here: event_base is the reactor, struct event the channel, event_add hangs it on the tree;
// timers are events like any other, one per connection, and so are signals. What was ours in stage
// 2 (the tree, the batch, the timer list, the signalfd) is the library's now.
//
// Not here, on purpose: buffering by the library (stage 4), TLS.

#include <sys/socket.h>

#include <algorithm>

#include "03_libevent_raw/base.h"
#include "03_libevent_raw/timers.h"
#include "common/serve.h"

namespace {

struct Loop;

struct Connection {
  Loop& loop;
  UniqueFd fd;
  std::unique_ptr<Session> session;
  Buffer out;  // owed to the client: what the kernel would not take yet
  Timers<Connection>::Place place = {};
  Embedded ev = {};    // an event without an allocation of its own
  short interest = 0;  // EV_READ or EV_WRITE; 0: it is not on the base
};

struct Listener {
  UniqueFd fd;
  Event ev = {};
};

struct Loop {
  Worker& worker;
  Base base = make_base(worker.options);
  bool eager =
      worker.options.value_of("rearm") == "eager";  // send first, ask whether it is possible later
  Timer admission_timer{base.get()};
  Event heartbeat = add_heartbeat(base.get(), worker);
  StopEvents signals = {};
  Listener listeners[2] = {{worker.take_listener(kText)}, {worker.take_listener(kHttp)}};
  Timers<Connection> deadlines{base.get(), worker.options.idle_timeout};
};

void run(Worker& worker);
bool on_acceptable(Loop& loop, Protocol protocol);
void on_readable(Connection& c);
void on_writable(Connection& c);
void decide_next(Connection& c);
void watch(Connection& c, short interest, event_callback_fn handler);
void on_time_up(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);
// libevent calls a function with a pointer; the handlers want what it points to.
template <void (*handler)(Connection&)>
void call(evutil_socket_t, short, void* c) {
  handler(*static_cast<Connection*>(c));
}
template <void (*handler)(Loop&)>
void call(evutil_socket_t, short, void* loop) {
  static_cast<Loop*>(loop)->worker.read_clock();
  handler(*static_cast<Loop*>(loop));
}
template <Protocol protocol>
void accept_on(Loop& loop) {
  on_acceptable(loop, protocol);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_libevent();
  constexpr std::string_view kModes[] = {"swap", "eager"};
  const StageFlag rearm = {"rearm", "MODE", "how a client changes from reading to writing", kModes};
  return serve(argc, argv,
               {.name = "03_libevent_raw",
                .number = 3,
                .flags = libevent_flags({rearm}),
                .gauges = kLibeventGauges},
               Signals::by_stage, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker};
  event_base* base = loop.base.get();
  loop.signals = add_stop_events(base, worker, call<on_signal>, &loop);
  for (const Protocol protocol : {kText, kHttp}) {
    const auto handler = protocol == kText ? call<accept_on<kText>> : call<accept_on<kHttp>>;
    const int fd = loop.listeners[protocol].fd.get();
    loop.listeners[protocol].ev = add_event(base, fd, EV_READ, handler, &loop);
  }
  while (!worker.admission.over()) {
    const bool accepting = worker.admission.accepting();
    for (const Listener& listener : loop.listeners) add_or_delete(listener.ev, accepting);
    loop.admission_timer.at(worker.admission.next_deadline());
    event_base_loop(base, EVLOOP_ONCE);
    worker.wake_up();
    worker.admission.left(loop.deadlines.free_closed());
  }
}

// False when there is no more to accept now.
bool on_acceptable(Loop& loop, Protocol protocol) {
  Context& context = loop.worker.context;
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    UniqueFd client = loop.worker.admission.accept(loop.listeners[protocol].fd.get());
    if (!client) return false;
    Connection& c = loop.deadlines.add(
        {loop, std::move(client), make_session(protocol, context), Buffer(context.pool)},
        call<on_time_up>);
    watch(c, EV_READ, call<on_readable>);
    if (c.interest == 0) close_connection(c);  // no memory, or max_user_watches
  }
  return true;
}

// One read per event, however much there is: the others wait too.
void on_readable(Connection& c) {
  const Io got = read_some(c.fd.get(), c.session->input());
  if (got.result == IoResult::failed) return close_connection(c);
  if (got.result == IoResult::eof) c.session->feed_eof();
  if (c.session->received(got.bytes) == Progress::made) c.loop.deadlines.restart_clock(c);
  c.loop.eager ? on_writable(c) : decide_next(c);
}

void on_writable(Connection& c) {
  if (c.out.empty()) c.session->advance(c.out, c.loop.worker.is_drained(c.fd.get()));
  if (!c.out.empty()) {
    const Io sent = write_some(c.fd.get(), c.out.view());
    if (sent.result == IoResult::failed) return close_connection(c);
    c.out.consume(sent.bytes);
    if (c.session->sent(sent.bytes, c.out.empty()) == Progress::made)
      c.loop.deadlines.restart_clock(c);
  }
  decide_next(c);
}

// What next? While the client is owed bytes nothing more is read from it: a client that does not
// read cannot make us buffer more. Otherwise the session says whether the conversation goes on.
void decide_next(Connection& c) {
  auto phase = Phase::open;
  if (c.out.empty()) phase = c.session->advance(c.out, c.loop.worker.is_drained(c.fd.get()));
  if (!c.out.empty()) return watch(c, EV_WRITE, call<on_writable>);
  if (phase == Phase::over) return close_connection(c);
  if (phase == Phase::linger && c.loop.deadlines.linger(c)) {
    shutdown(c.fd.get(), SHUT_WR);
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
void on_time_up(Connection& c) {
  const bool owes = !c.out.empty();
  if (is_ready(c.fd.get(), owes) && c.loop.deadlines.last_look(c)) return;
  if (owes || !c.session->expire(c.out)) return close_connection(c);
  c.loop.deadlines.restart_clock(c);
  on_writable(c);
}

// The first SIGTERM lets in who waits, and sends away who is owed nothing; the second one ends it.
void on_signal(Loop& loop) {
  loop.worker.stop_all_loops(loop.worker.read_stop_requests());
  for (const Protocol protocol : {kText, kHttp}) {
    while (on_acceptable(loop, protocol)) continue;
    loop.listeners[protocol].ev.reset();
    loop.listeners[protocol].fd.reset();
  }
  for (Connection* c : loop.deadlines.serving()) {
    if (c->out.empty()) on_readable(*c);
  }
}

void close_connection(Connection& c) {
  event_del(&c.ev);
  c.loop.deadlines.close(c);
}

}  // namespace
