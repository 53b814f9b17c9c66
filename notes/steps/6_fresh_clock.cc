// Step 6: what time is it?
//
// New here: the clock is read when the sleep is over, not before it.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <list>
#include <map>
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

struct Loop;

struct Connection {
  Loop& loop;
  UniqueFd fd;
  uint32_t interest = EPOLLIN;
  std::string out = {};  // owed to the client: what a send did not take
  Clock::time_point clock_started = {};
  std::list<Connection>::iterator place = {};
};

struct Loop {
  UniqueFd listener;
  std::chrono::seconds idle_timeout;
  UniqueFd tree{check(epoll_create1(0), "epoll_create1")};
  std::list<Connection> connections = {};  // whose clock started last stands last
  std::map<int, Connection*> by_fd = {};
  Clock::time_point now = Clock::now();
};

void watch(Loop& loop, int operation, int fd, uint32_t interest) {
  epoll_event event{.events = interest, .data = {.fd = fd}};
  check(epoll_ctl(loop.tree.get(), operation, fd, &event), "epoll_ctl");
}

void close_connection(Connection& c) {
  c.loop.by_fd.erase(c.fd.get());
  c.loop.connections.erase(c.place);
}

void restart_clock(Connection& c) {
  c.clock_started = c.loop.now;
  c.loop.connections.splice(c.loop.connections.end(), c.loop.connections, c.place);
}

// While a client is owed bytes, nothing more is read from it.
void decide_next(Connection& c) {
  const uint32_t interest = c.out.empty() ? EPOLLIN : EPOLLOUT;
  if (interest != c.interest) watch(c.loop, EPOLL_CTL_MOD, c.fd.get(), interest);
  c.interest = interest;
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
  on_writable(c);
}

void on_acceptable(Loop& loop) {
  const int client = accept4(loop.listener.get(), nullptr, nullptr, SOCK_NONBLOCK);
  if (client < 0) return;
  Connection& c = loop.connections.emplace_back(Connection{loop, UniqueFd(client)});
  c.place = std::prev(loop.connections.end());
  loop.by_fd[client] = &c;
  restart_clock(c);
  watch(loop, EPOLL_CTL_ADD, client, EPOLLIN);
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
  epoll_event ready[64];
  for (;;) {
    const int timeout = expire(loop);
    const int count = epoll_wait(loop.tree.get(), ready, std::size(ready), timeout);
    loop.now = Clock::now();
    for (int i = 0; i < count; ++i) {
      const int fd = ready[i].data.fd;
      if (fd == loop.listener.get()) {
        on_acceptable(loop);
      } else {
        Connection& c = *loop.by_fd.at(fd);
        c.out.empty() ? on_readable(c) : on_writable(c);
      }
    }
  }
}

}  // namespace

int main(int, char** argv) {
  const std::chrono::seconds idle_timeout(flag(argv, "--idle-timeout", 60));
  Loop loop{listen_on(flag(argv, "--text-port", 7000)), idle_timeout};
  watch(loop, EPOLL_CTL_ADD, loop.listener.get(), EPOLLIN);
  run(loop);
}
