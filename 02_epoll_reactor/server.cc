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
#include <array>
#include <memory>
#include <vector>

#include "02_epoll_reactor/reactor.h"
#include "common/worker.h"

namespace {

struct Loop;
struct Connection;
using Connections = DeadlineList<Connection>;

struct Connection : Channel {
  Connection(Loop& l, UniqueFd client, Protocol port);

  Loop& loop;
  std::unique_ptr<Session> session;
  Buffer out;         // owed to the client: what the kernel would not take yet
  Connections* home;  // the list it is in, and where
  Connections::iterator self;
  Clock::time_point since;  // when its clock last started
};

struct Loop {
  Worker& worker;
  Reactor reactor;
  bool eager;  // try to send before asking whether it is possible
  Channel signals = {};
  std::array<Channel, 2> listeners = {};
  Connections serving{{}, worker.options.idle_timeout}, expiring{{}, kLastLook};
  Connections lingering{{}, kLinger}, closed = {};
  Clock::time_point starved_until = kNever;  // no descriptor was left: no accepting till then
  Clock::time_point grace_end = kNever;      // the drain must be over by then
  bool done = false;
};

void run(Worker& worker);
bool on_acceptable(Loop& loop, Protocol port);
void on_readable(Connection& c);
void on_writable(Connection& c);
void progress(Connection& c);
void watch(Connection& c, uint32_t interest, void (*handler)(Connection&));
void on_idle(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);
void enter(Connection& c, Connections& list);
void on_timer(Loop& loop);
void after_batch(Loop& loop);

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view kRearm[] = {"mod", "del-add", "eager"};
  return serve(argc, argv, {.name = "02_epoll_reactor", .number = 2, .rearm = kRearm},
               Signals::signalfd, run);
}

namespace {

void run(Worker& worker) {
  const bool del_add = worker.options.rearm == "del-add";
  Loop loop{worker, Reactor(del_add ? Reactor::Rearm::del_add : Reactor::Rearm::mod),
            worker.options.rearm == "eager"};
  loop.signals.fd = worker.stop_descriptor();
  loop.reactor.watch(loop.signals, EPOLLIN, [&loop] { on_signal(loop); });
  for (const Protocol port : {kText, kHttp}) {
    loop.listeners[port].fd = std::move(worker.listeners[port]);
    loop.reactor.watch(loop.listeners[port], EPOLLIN, [&loop, port] { on_acceptable(loop, port); });
  }
  while (!loop.done) {
    const auto deadline = std::min({due(loop.serving), due(loop.expiring), due(loop.lingering),
                                    loop.grace_end, loop.starved_until, worker.heartbeat()});
    loop.reactor.at(deadline, [&loop] { on_timer(loop); });
    loop.reactor.wait(worker.now);
    worker.wake_up();
    loop.reactor.dispatch(worker.now);
    after_batch(loop);
  }
}

// False when there is no more to accept now.
bool on_acceptable(Loop& loop, Protocol port) {
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    if (loop.worker.full()) return false;
    Accepted client = accept_client(loop.listeners[port].fd.get());
    if (client.result == AcceptResult::no_room) loop.starved_until = loop.worker.now + kStarved;
    if (client.result != AcceptResult::client) return false;
    Connection& c = loop.serving.emplace_back(loop, std::move(client.fd), port);
    c.self = std::prev(loop.serving.end());
    enter(c, loop.serving);
    watch(c, EPOLLIN, on_readable);
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
  if (!c.out.empty()) return watch(c, EPOLLOUT, on_writable);
  const Session::Phase phase = c.session->phase();
  if (phase == Session::Phase::over) return close_connection(c);
  if (phase == Session::Phase::linger && c.home != &c.loop.lingering) {
    shutdown(c.fd.get(), SHUT_WR);
    enter(c, c.loop.lingering);
  }
  watch(c, EPOLLIN, on_readable);
}

void watch(Connection& c, uint32_t interest, void (*handler)(Connection&)) {
  c.loop.reactor.watch(c, interest, [&c, handler] { handler(c); });
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
  loop.grace_end = loop.worker.now + loop.worker.options.grace;
  for (const Protocol port : {kText, kHttp}) {
    if (!loop.listeners[port].fd) continue;
    while (on_acceptable(loop, port)) {
    }
    loop.reactor.unwatch(loop.listeners[port]);
    loop.listeners[port].fd.reset();
  }
  std::vector<Connection*> silent;  // on_readable moves connections between the lists
  for (Connection& c : loop.serving) {
    if (c.out.empty()) silent.push_back(&c);
  }
  for (Connection* c : silent) on_readable(*c);
}

void close_connection(Connection& c) {
  c.loop.reactor.unwatch(c);
  enter(c, c.loop.closed);  // after_batch frees it
}

// To the end of a list: its clock starts anew.
void enter(Connection& c, Connections& list) {
  list.splice(list.end(), *c.home, c.self);
  c.home = &list;
  c.since = c.loop.worker.now;
}

void on_timer(Loop& loop) {
  const Clock::time_point now = loop.worker.now;
  for (Connections* list : {&loop.serving, &loop.expiring, &loop.lingering}) {
    while (due(*list) <= now) on_idle(list->front());
  }
  if (loop.grace_end <= now) loop.done = true;
}

// Only now is a closed descriptor's number free for another one: no event of the batch can be
// mistaken for the newcomer's.
void after_batch(Loop& loop) {
  if (!loop.closed.empty() || loop.starved_until <= loop.worker.now) loop.starved_until = kNever;
  loop.closed.clear();
  if (loop.worker.draining && loop.worker.stats.open.get() == 0) loop.done = true;
  const bool accepting = !loop.worker.full() && loop.starved_until == kNever;
  for (const Protocol port : {kText, kHttp}) {
    Channel& listener = loop.listeners[port];
    if (!accepting || !listener.fd) {
      loop.reactor.unwatch(listener);
    } else {
      loop.reactor.watch(listener, EPOLLIN, [&loop, port] { on_acceptable(loop, port); });
    }
  }
}

Connection::Connection(Loop& l, UniqueFd client, Protocol port)
    : Channel{std::move(client)},
      loop(l),
      session(make_session(port, l.worker.context)),
      out(l.worker.context.pool),
      home(&l.serving) {}

}  // namespace
