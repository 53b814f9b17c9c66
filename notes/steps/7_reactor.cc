// Step 7: the callback travels with the descriptor.
//
// New here: an event brings along what is to be done, and the loop asks nobody who it is. An answer
// is sent when the kernel says that it can be: interest and callback are swapped for that, and
// back.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

// Owns a descriptor; -1 is none.
class UniqueFd {
 public:
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// Without these calls there is no server.
int check(int result, const char* call) {
  if (result >= 0) return result;
  std::perror(call);
  std::exit(EXIT_FAILURE);
}

// The number behind a flag: --text-port 7000.
int flag(char** words, std::string_view name, int otherwise) {
  while (*words != nullptr && *words != name) ++words;
  return *words != nullptr && words[1] != nullptr ? std::atoi(words[1]) : otherwise;
}

UniqueFd listen_on(int port) {
  UniqueFd listener(check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket"));
  const int fd = listener.get();
  const int yes = 1;  // the port can be used again as soon as we have ended
  check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "setsockopt");
  sockaddr_in address{AF_INET, htons(static_cast<in_port_t>(port)), {htonl(INADDR_LOOPBACK)}, {}};
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  check(bind(fd, generic, size), "bind");
  check(listen(fd, SOMAXCONN), "listen");
  check(getsockname(fd, generic, &size), "getsockname");
  std::printf("listening on 127.0.0.1:%d (text)\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

void to_upper(std::span<char> text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
}

using Clock = std::chrono::steady_clock;  // setting the time of day does not move it

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

struct Loop;

struct Connection : Channel {
  Loop& loop;
  std::string out = {};  // owed to the client: what a send did not take
  Clock::time_point clock_started = {};
  std::list<Connection>::iterator place = {};
};

struct Loop {
  Channel listener;
  std::chrono::seconds idle_timeout;
  Reactor reactor = {};
  std::list<Connection> connections = {};  // whose clock started last stands last
  Clock::time_point now = Clock::now();
};

void on_readable(Connection& c);
void on_writable(Connection& c);

void watch(Connection& c, uint32_t interest, void (*handler)(Connection&)) {
  c.loop.reactor.watch(c, interest, [&c, handler] { handler(c); });
}

void close_connection(Connection& c) { c.loop.connections.erase(c.place); }

void restart_clock(Connection& c) {
  c.clock_started = c.loop.now;
  c.loop.connections.splice(c.loop.connections.end(), c.loop.connections, c.place);
}

// While a client is owed bytes, nothing more is read from it.
void decide_next(Connection& c) {
  c.out.empty() ? watch(c, EPOLLIN, on_readable) : watch(c, EPOLLOUT, on_writable);
}

void on_writable(Connection& c) {
  const ssize_t sent = send(c.fd.get(), c.out.data(), c.out.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return close_connection(c);
  if (sent > 0) restart_clock(c);
  c.out.erase(0, static_cast<size_t>(std::max<ssize_t>(sent, 0)));
  decide_next(c);
}

void on_readable(Connection& c) {
  char bytes[16 * 1024];
  const ssize_t got = recv(c.fd.get(), bytes, sizeof bytes, 0);
  if (got < 0 && errno == EAGAIN) return;    // woken in vain: that is no end
  if (got <= 0) return close_connection(c);  // it has said its last word, or is gone
  const std::span text(bytes, static_cast<size_t>(got));
  to_upper(text);
  c.out.append(text.data(), text.size());
  decide_next(c);
}

void on_acceptable(Loop& loop) {
  const int client = accept4(loop.listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK);
  if (client < 0) return;
  Connection& c = loop.connections.emplace_back(Connection{{UniqueFd(client)}, loop});
  c.place = std::prev(loop.connections.end());
  restart_clock(c);
  watch(c, EPOLLIN, on_readable);
}

// Closes who is due. Returns how many milliseconds are left for the next one; -1: there is none.
int expire(Loop& loop) {
  while (!loop.connections.empty()) {
    Connection& first = loop.connections.front();
    const auto due = first.clock_started + loop.idle_timeout;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - loop.now).count();
    if (left > 0) return static_cast<int>(left);
    close_connection(first);
  }
  return -1;
}

void run(Loop& loop) {
  for (;;) {
    const int timeout = expire(loop);
    loop.reactor.wait(timeout);
    loop.now = Clock::now();
    loop.reactor.dispatch();
  }
}

}  // namespace

int main(int, char** argv) {
  const std::chrono::seconds idle_timeout(flag(argv, "--idle-timeout", 60));
  Loop loop{{listen_on(flag(argv, "--text-port", 7000))}, idle_timeout};
  loop.reactor.watch(loop.listener, EPOLLIN, [&loop] { on_acceptable(loop); });
  run(loop);
}
