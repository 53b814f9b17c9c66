// Step 2: many clients, one thread.
//
// New here: the kernel keeps a set of descriptors for us. One call sleeps until any of them is
// ready, and says which.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <span>
#include <string_view>

namespace {

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

int listen_on(int port) {
  const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
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
  return fd;
}

void to_upper(std::span<char> text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
}

struct Loop {
  int listener;
  int tree;
};

void watch(Loop& loop, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  check(epoll_ctl(loop.tree, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void on_readable(int client) {
  char bytes[16 * 1024];
  const ssize_t got = recv(client, bytes, sizeof bytes, 0);
  if (got <= 0) {  // it has said its last word, or is gone
    close(client);
    return;
  }
  const std::span text(bytes, static_cast<size_t>(got));
  to_upper(text);
  send(client, text.data(), text.size(), MSG_NOSIGNAL);  // if it is gone: an error, no SIGPIPE
}

void on_acceptable(Loop& loop) {
  const int client = accept4(loop.listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (client >= 0) watch(loop, client);
}

void run(Loop& loop) {
  epoll_event ready[64];
  for (;;) {
    const int count = epoll_wait(loop.tree, ready, std::size(ready), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = ready[i].data.fd;
      fd == loop.listener ? on_acceptable(loop) : on_readable(fd);
    }
  }
}

}  // namespace

int main(int, char** argv) {
  Loop loop{listen_on(flag(argv, "--text-port", 7000)), check(epoll_create1(0), "epoll_create1")};
  watch(loop, loop.listener);
  run(loop);
}
