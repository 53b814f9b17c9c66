// Outside the four stages: the reactor of step 7, and a coroutine per client on it.
//
// New here: the compiler writes the state machine. A coroutine is a function that can stop in the
// middle, at a co_await, and go on from there later. What it needs until then it keeps.

#include <algorithm>
#include <coroutine>
#include <exception>
#include <functional>

#include "common/ascii.h"
#include "notes/next/next.h"

namespace {

// A descriptor, what we want to be told about it, and what is to be done then.
struct Channel {
  UniqueFd fd;
  uint32_t interest = 0;  // 0: it is not on the tree
  std::function<void()> handler = {};
};

class Reactor {
 public:
  // Interest and handler change in one step.
  void watch(Channel& channel, uint32_t interest, std::function<void()> handler) {
    channel.handler = std::move(handler);
    if (channel.interest == interest) return;
    const int operation = channel.interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    epoll_event event{.events = interest, .data = {.ptr = &channel}};
    check(epoll_ctl(tree_.get(), operation, channel.fd.get(), &event), "epoll_ctl");
    channel.interest = interest;
  }

  void wait(int timeout) { count_ = epoll_wait(tree_.get(), ready_, kMostEvents, timeout); }

  void dispatch() {
    for (int i = 0; i < count_; ++i) {
      const Channel& channel = *static_cast<Channel*>(ready_[i].data.ptr);
      const auto handler = channel.handler;  // a copy: it may set the next one, or end the channel
      handler();
    }
  }

 private:
  static constexpr int kMostEvents = 64;
  UniqueFd tree_{check(epoll_create1(0), "epoll_create1")};
  epoll_event ready_[kMostEvents] = {};
  int count_ = 0;
};

// What a coroutine returns that nobody waits for: it begins at once, and frees itself at its end.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

// co_await Ready{...}: leaves the coroutine until the kernel says so. The rest of it is the
// handler.
struct Ready {
  Reactor& reactor;
  Channel& channel;
  uint32_t interest;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> rest) const {
    reactor.watch(channel, interest, [rest] { rest.resume(); });
  }
  void await_resume() const {}
};

Task serve(Reactor& reactor, UniqueFd client) {
  Channel channel{std::move(client)};
  const int fd = channel.fd.get();
  char bytes[16 * 1024];
  for (;;) {
    co_await Ready{reactor, channel, EPOLLIN};
    const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) co_return;  // it has said its last word, or is gone
    std::string_view owed(bytes, static_cast<size_t>(got));
    ascii_upper(owed, bytes);
    while (!owed.empty()) {
      co_await Ready{reactor, channel, EPOLLOUT};
      const ssize_t sent = send(fd, owed.data(), owed.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) co_return;
      owed.remove_prefix(static_cast<size_t>(std::max<ssize_t>(sent, 0)));
    }
  }
}

Task accept_all(Reactor& reactor, Channel& listener) {
  for (;;) {
    co_await Ready{reactor, listener, EPOLLIN};
    UniqueFd client(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) serve(reactor, std::move(client));
  }
}

}  // namespace

int main(int, char** argv) {
  Channel listener{listen_as_told(argv, SOCK_NONBLOCK)};
  Reactor reactor;
  accept_all(reactor, listener);
  for (;;) {
    reactor.wait(-1);
    reactor.dispatch();
  }
}
