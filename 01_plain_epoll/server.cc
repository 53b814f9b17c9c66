// Stage 1: the plain epoll loop.
//
// New here: the kernel keeps a tree of descriptors, each with what we want to be told about it (its
// interest). epoll_wait sleeps until some are ready, and the loop asks of each: who is this?
//
// Not here, on purpose: edge-triggered mode, callbacks (stage 2), a library (stages 3 and 4), TLS.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "common/deadlines.h"
#include "common/serve.h"

namespace {

// A descriptor and its interest. 0: it is not on the tree.
struct Watched {
  UniqueFd fd;
  uint32_t interest = 0;
};

struct Loop;

struct Connection : Watched {
  Loop& loop;
  std::unique_ptr<Session> session;
  Buffer out;  // owed to the client: what the kernel would not take yet
  Deadlines<Connection>::Place place = {};
};

struct Loop {
  Worker& worker;
  UniqueFd tree{check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  Watched signals{worker.stop_descriptor()};
  Watched listeners[2] = {{worker.take_listener(kText)}, {worker.take_listener(kHttp)}};
  std::vector<Connection*> by_fd = {};
  Deadlines<Connection> deadlines{worker.options.idle_timeout, worker.now};
};

void run(Worker& worker);
bool on_acceptable(Loop& loop, Protocol protocol);
void on_readable(Connection& c);
void on_writable(Connection& c);
void decide_next(Connection& c);
void watch(Loop& loop, Watched& w, uint32_t interest);
void on_time_up(Connection& c);
void on_signal(Loop& loop);
void close_connection(Connection& c);

}  // namespace

int main(int argc, char** argv) {
  return serve(argc, argv, {.name = "01_plain_epoll", .number = 1}, Signals::signalfd, run);
}

namespace {

void run(Worker& worker) {
  Loop loop{worker};
  watch(loop, loop.signals, EPOLLIN);
  epoll_event ready[256];
  while (!worker.admission.over()) {
    const uint32_t interest = worker.admission.accepting() ? EPOLLIN : uint32_t{0};
    for (Watched& listener : loop.listeners) watch(loop, listener, interest);
    const auto deadline = std::min(loop.deadlines.next(), worker.next_deadline());
    const int timeout = milliseconds_until(deadline, worker.now);
    const int count = epoll_wait(loop.tree.get(), ready, std::size(ready), timeout);
    worker.wake_up();
    for (int i = 0; i < count; ++i) {
      const int fd = ready[i].data.fd;
      if (fd == loop.signals.fd.get()) {
        on_signal(loop);
      } else if (fd == loop.listeners[kText].fd.get()) {
        on_acceptable(loop, kText);
      } else if (fd == loop.listeners[kHttp].fd.get()) {
        on_acceptable(loop, kHttp);
      } else if (Connection* c = loop.by_fd[static_cast<size_t>(fd)]) {
        // An error is not a third case: the read or write that we wait for says what is wrong.
        const bool error = (ready[i].events & (EPOLLERR | EPOLLHUP)) != 0;
        const uint32_t happened = error ? c->interest : ready[i].events & c->interest;
        if (happened == EPOLLIN) on_readable(*c);
        if (happened == EPOLLOUT) on_writable(*c);
      }
    }
    loop.deadlines.expire(on_time_up);
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
    watch(loop, c, EPOLLIN);
    loop.by_fd[static_cast<size_t>(c.fd.get())] = &c;
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
  on_writable(c);  // most answers fit into the kernel's buffer at once
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
  if (!c.out.empty()) return watch(c.loop, c, EPOLLOUT);
  if (phase == Phase::over) return close_connection(c);
  if (phase == Phase::linger && c.loop.deadlines.linger(c)) {
    shutdown(c.fd.get(), SHUT_WR);
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
    watch(loop, loop.listeners[protocol], 0);
    loop.listeners[protocol].fd.reset();
  }
  for (Connection* c : loop.deadlines.serving()) {
    if (c->out.empty()) on_readable(*c);
  }
}

void close_connection(Connection& c) {
  c.loop.by_fd[static_cast<size_t>(c.fd.get())] = nullptr;  // close(2) takes it off the tree
  c.loop.deadlines.close(c);                                // and that is after the batch
}

}  // namespace
