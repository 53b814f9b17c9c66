// Stage 2: the reactor.
//
// New here: the callback travels with the descriptor. Nobody asks "who is this?": what hangs on the
// tree knows what is to be done. After a read the interest is swapped for EPOLLOUT and the callback
// for the writing one; the answer goes out when the kernel says writable; then both are swapped
// back.
//
// Not here, on purpose: several timers (stage 3), buffering by a library (stage 4), TLS.

#include <sys/socket.h>

#include <algorithm>

#include "02_epoll_reactor/reactor.h"
#include "common/deadlines.h"
#include "common/serve.h"

namespace {

struct Loop;

struct Connection : Channel {
  Loop& loop;
  std::unique_ptr<Session> session;
  Buffer out;  // owed to the client: what the kernel would not take yet
  Deadlines<Connection>::Place place = {};
};

struct Loop {
  Worker& worker;
  bool eager =
      worker.options.value_of("rearm") == "eager";  // send first, ask whether it is possible later
  Reactor reactor{worker.options.value_of("rearm") == "del-add" ? Rearm::del_add : Rearm::mod};
  Channel signals{worker.stop_descriptor()};
  Channel listeners[2] = {{worker.take_listener(kText)}, {worker.take_listener(kHttp)}};
  Deadlines<Connection> deadlines{worker.options.idle_timeout, worker.now};
};

void run(Worker& worker);
bool on_acceptable(Loop& loop, Protocol protocol);
void on_readable(Connection& c);
void on_writable(Connection& c);
void decide_next(Connection& c);
void watch(Connection& c, uint32_t interest, void (*handler)(Connection&));
void on_time_up(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view kModes[] = {"mod", "del-add", "eager"};
  const StageFlag rearm = {"rearm", "MODE", "how a client changes from reading to writing", kModes};
  return serve(argc, argv, {.name = "02_epoll_reactor", .number = 2, .flags = {rearm}},
               Signals::signalfd, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker};
  loop.reactor.watch(loop.signals, EPOLLIN, [&loop] { on_signal(loop); });
  for (const Protocol protocol : {kText, kHttp}) {
    loop.listeners[protocol].handler = [&loop, protocol] { on_acceptable(loop, protocol); };
  }
  while (!worker.admission.over()) {
    const uint32_t interest = worker.admission.accepting() ? EPOLLIN : uint32_t{0};
    for (Channel& listener : loop.listeners) loop.reactor.watch(listener, interest);
    const auto deadline = std::min(loop.deadlines.next(), worker.next_deadline());
    loop.reactor.at(deadline, [&loop] { loop.deadlines.expire(on_time_up); });
    loop.reactor.wait(worker.now);
    worker.wake_up();
    loop.reactor.dispatch(worker.now);
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
        {{std::move(client)}, loop, make_session(protocol, context), Buffer(context.pool)});
    watch(c, EPOLLIN, on_readable);
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
  if (!c.out.empty()) return watch(c, EPOLLOUT, on_writable);
  if (phase == Phase::over) return close_connection(c);
  if (phase == Phase::linger && c.loop.deadlines.linger(c)) {
    shutdown(c.fd.get(), SHUT_WR);
  }
  watch(c, EPOLLIN, on_readable);
}

void watch(Connection& c, uint32_t interest, void (*handler)(Connection&)) {
  c.loop.reactor.watch(c, interest, [&c, handler] { handler(c); });
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
    loop.reactor.watch(loop.listeners[protocol], 0);
    loop.listeners[protocol].fd.reset();
  }
  for (Connection* c : loop.deadlines.serving()) {
    if (c->out.empty()) on_readable(*c);
  }
}

void close_connection(Connection& c) {
  c.loop.reactor.watch(c, 0);
  c.loop.deadlines.close(c);
}

}  // namespace
