// Floor of stage 2: after each recv the interest is swapped for EPOLLOUT, after the send it is
// swapped back. By one EPOLL_CTL_MOD, or with --rearm=del-add by two calls.

#include <sys/epoll.h>

#include "tests/bench/floor/floor.h"

namespace {

struct Channel {
  int fd;
  void (*handler)(Channel&);
  std::string_view answer;
};

Floor* server;
int tree;
bool del_add;

void hang(int operation, uint32_t interest, Channel& c) {
  epoll_event event{.events = interest, .data = {.ptr = &c}};
  epoll_ctl(tree, operation, c.fd, &event);
}

void swap(Channel& c, uint32_t interest, void (*handler)(Channel&)) {
  c.handler = handler;
  if (del_add) hang(EPOLL_CTL_DEL, 0, c);
  hang(del_add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, interest, c);
}

void on_readable(Channel& c);

void on_writable(Channel& c) {
  say(c.fd, c.answer);
  swap(c, EPOLLIN, on_readable);
}

void on_readable(Channel& c) {
  c.answer = server->receive(c.fd);
  if (!c.answer.empty()) return swap(c, EPOLLOUT, on_writable);
  close(c.fd);
  delete &c;
}

void on_acceptable(Channel& listener) {
  auto* c = new Channel{accept_client(listener.fd).fd.release(), on_readable, {}};
  hang(EPOLL_CTL_ADD, EPOLLIN, *c);
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the kernel keeps the pointer

}  // namespace

int main(int argc, char** argv) {
  Floor floor(argc, argv);
  server = &floor;
  tree = epoll_create1(EPOLL_CLOEXEC);
  del_add = floor.has("--rearm=del-add");
  Channel listener{floor.listener(), on_acceptable, {}};
  hang(EPOLL_CTL_ADD, EPOLLIN, listener);
  epoll_event ready[256];
  while (true) {
    const int count = epoll_wait(tree, ready, 256, -1);
    for (int i = 0; i < count; ++i) {
      Channel& c = *static_cast<Channel*>(ready[i].data.ptr);
      c.handler(c);
    }
  }
}
