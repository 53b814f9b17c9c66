// Outside the four stages: completion instead of readiness.
//
// epoll says that a recv would not wait, and then we call it. Here the kernel is asked to receive,
// and says when it has. One call hands over all that we ask, and sleeps until something is done.

#include <liburing.h>

#include <array>
#include <iterator>
#include <list>
#include <string>
#include <string_view>

#include "common/ascii.h"
#include "notes/next/next.h"

namespace {

struct Loop;

// Of each client, one thing is asked at a time. Until that is done the kernel writes into `bytes`,
// or reads from it: so each client has a buffer, and nobody is freed with a request under way.
struct Connection {
  Loop& loop;
  UniqueFd fd;
  std::list<Connection>::iterator place = {};
  std::string_view owed = {};  // a part of `bytes`
  std::array<char, 16 * 1024> bytes = {};
};

struct Ring : io_uring {
  Ring() : io_uring{} { check_error(-io_uring_queue_init(256, this, 0), "io_uring_queue_init"); }
  Ring(const Ring&) = delete;
  ~Ring() { io_uring_queue_exit(this); }
};

struct Loop {
  __kernel_timespec idle_timeout;
  std::list<Connection> connections = {};
  Ring ring = {};  // goes before them: then the kernel has let go of all buffers
  UniqueFd listener;
};

// The next free entry of the queue of requests. `together` of them must not be torn apart.
io_uring_sqe* request(Loop& loop, unsigned together) {
  if (io_uring_sq_space_left(&loop.ring) < together) io_uring_submit(&loop.ring);
  return io_uring_get_sqe(&loop.ring);
}

void ask_for_client(Loop& loop) {
  io_uring_sqe* accept = request(loop, 1);
  io_uring_prep_accept(accept, loop.listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data(accept, &loop);
}

// Asks for bytes, or to send those that are owed. What is linked to it cancels it in time.
void ask(Connection& c) {
  io_uring_sqe* move = request(c.loop, 2);
  if (c.owed.empty()) {
    io_uring_prep_recv(move, c.fd.get(), c.bytes.data(), c.bytes.size(), 0);
  } else {
    io_uring_prep_send(move, c.fd.get(), c.owed.data(), c.owed.size(), MSG_NOSIGNAL);
  }
  io_uring_sqe_set_data(move, &c);
  io_uring_sqe_set_flags(move, IOSQE_IO_LINK);
  io_uring_sqe* limit = request(c.loop, 1);
  io_uring_prep_link_timeout(limit, &c.loop.idle_timeout, 0);
  io_uring_sqe_set_data(limit, nullptr);
}

void on_accepted(Loop& loop, int client) {
  ask_for_client(loop);
  if (client < 0) return;
  Connection& c = loop.connections.emplace_back(Connection{loop, UniqueFd(client)});
  c.place = std::prev(loop.connections.end());
  ask(c);
}

// What recv or send would have returned; a negative errno for -1. -ECANCELED: its time was up.
void on_moved(Connection& c, int result) {
  if (result <= 0) {
    c.loop.connections.erase(c.place);
    return;
  }
  const auto count = static_cast<std::size_t>(result);
  if (c.owed.empty()) {
    c.owed = {c.bytes.data(), count};
    ascii_upper(c.owed, c.bytes.data());
  } else {
    c.owed.remove_prefix(count);
  }
  ask(c);
}

}  // namespace

int main(int, char** argv) {
  Loop loop{.idle_timeout = {std::stoi(flag(argv, "--idle-timeout", "60")), 0},
            .listener = listen_as_told(argv, 0)};
  ask_for_client(loop);
  for (;;) {
    io_uring_submit_and_wait(&loop.ring, 1);
    for (io_uring_cqe* done = nullptr; io_uring_peek_cqe(&loop.ring, &done) == 0;) {
      void* who = io_uring_cqe_get_data(done);
      const int result = done->res;
      io_uring_cqe_seen(&loop.ring, done);
      if (who == &loop) on_accepted(loop, result);
      if (who != &loop && who != nullptr) on_moved(*static_cast<Connection*>(who), result);
    }
  }
}
