// Stage 1: the plain epoll loop.
//
// New here: the kernel keeps a tree of descriptors, each with what we want to be told about it (its
// interest). epoll_wait sleeps until there is news, and the loop asks of each: who is this?
//
// Not here, on purpose: edge-triggered mode (a read that stops short would lose its wake-up),
// callbacks (stage 2), a library (stages 3 and 4), TLS.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "common/worker.h"

namespace {

// A descriptor and its interest. 0: it is not on the tree.
struct Watched {
  UniqueFd fd;
  uint32_t interest = 0;
};

struct Loop;
struct Connection;
using Connections = DeadlineList<Connection>;

struct Connection : Watched {
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
  UniqueFd tree;
  Watched signals = {};
  std::array<Watched, 2> listeners = {};
  std::vector<Connection*> by_fd = {};
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
void watch(Loop& loop, Watched& w, uint32_t interest);
void on_idle(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);
void enter(Connection& c, Connections& list);
void on_timer(Loop& loop);
void after_batch(Loop& loop);

}  // namespace

int main(int argc, char** argv) {
  return serve(argc, argv, {.name = "01_plain_epoll", .number = 1}, Signals::signalfd, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker, UniqueFd(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"))};
  loop.signals.fd = worker.stop_descriptor();
  watch(loop, loop.signals, EPOLLIN);
  for (const Protocol port : {kText, kHttp}) {
    loop.listeners[port].fd = std::move(worker.listeners[port]);
    watch(loop, loop.listeners[port], EPOLLIN);
  }
  std::array<epoll_event, 256> ready;
  while (!loop.done) {
    const auto deadline = std::min({due(loop.serving), due(loop.expiring), due(loop.lingering),
                                    loop.grace_end, loop.starved_until, worker.heartbeat()});
    const int count = epoll_wait(loop.tree.get(), ready.data(), ready.size(),
                                 milliseconds_until(deadline, worker.now));
    worker.wake_up();
    for (const epoll_event& event : std::span(ready).first(std::max(count, 0))) {
      const int fd = event.data.fd;
      if (fd == loop.signals.fd.get()) {
        on_signal(loop);
      } else if (fd == loop.listeners[kText].fd.get()) {
        on_acceptable(loop, kText);
      } else if (fd == loop.listeners[kHttp].fd.get()) {
        on_acceptable(loop, kHttp);
      } else if (Connection* c = loop.by_fd[static_cast<size_t>(fd)]) {
        // An error is not a third case: the read or write that we wait for says what is wrong.
        const bool error = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
        const uint32_t happened = error ? c->interest : event.events & c->interest;
        if (happened == EPOLLIN) on_readable(*c);
        if (happened == EPOLLOUT) on_writable(*c);
      }
    }
    on_timer(loop);
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
    watch(loop, c, EPOLLIN);
    loop.by_fd[static_cast<size_t>(c.fd.get())] = &c;
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
  on_writable(c);  // most answers fit into the kernel's buffer at once
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
  if (!c.out.empty()) return watch(c.loop, c, EPOLLOUT);
  const Session::Phase phase = c.session->phase();
  if (phase == Session::Phase::over) return close_connection(c);
  if (phase == Session::Phase::linger && c.home != &c.loop.lingering) {
    shutdown(c.fd.get(), SHUT_WR);
    enter(c, c.loop.lingering);
  }
  watch(c.loop, c, EPOLLIN);
}

void watch(Loop& loop, Watched& w, uint32_t interest) {
  if (w.interest == interest) return;
  const auto fd = static_cast<size_t>(w.fd.get());
  if (loop.by_fd.size() <= fd) loop.by_fd.resize(fd + 1);
  int operation = EPOLL_CTL_MOD;
  if (w.interest == 0) operation = EPOLL_CTL_ADD;
  if (interest == 0) operation = EPOLL_CTL_DEL;
  epoll_event event{.events = interest, .data = {.fd = w.fd.get()}};
  if (epoll_ctl(loop.tree.get(), operation, w.fd.get(), &event) == 0) w.interest = interest;
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
    watch(loop, loop.listeners[port], 0);
    loop.listeners[port].fd.reset();
  }
  std::vector<Connection*> silent;  // on_readable moves connections between the lists
  for (Connection& c : loop.serving) {
    if (c.out.empty()) silent.push_back(&c);
  }
  for (Connection* c : silent) on_readable(*c);
}

void close_connection(Connection& c) {
  c.loop.by_fd[static_cast<size_t>(c.fd.get())] = nullptr;  // close(2) takes it off the tree
  enter(c, c.loop.closed);                                  // after_batch frees it
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
  for (Watched& listener : loop.listeners) {
    if (listener.fd) watch(loop, listener, accepting ? uint32_t{EPOLLIN} : 0);
  }
}

Connection::Connection(Loop& l, UniqueFd client, Protocol port)
    : Watched{std::move(client)},
      loop(l),
      session(make_session(port, l.worker.context)),
      out(l.worker.context.pool),
      home(&l.serving) {}

}  // namespace
