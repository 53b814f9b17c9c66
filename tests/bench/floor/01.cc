// Floor of stage 1: epoll_wait, recv, send.

#include <sys/epoll.h>

#include "tests/bench/floor/floor.h"

int main(int argc, char** argv) {
  Floor floor(argc, argv);
  const int tree = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.fd = floor.listener()}};
  epoll_ctl(tree, EPOLL_CTL_ADD, floor.listener(), &event);
  epoll_event ready[256];
  while (true) {
    const int count = epoll_wait(tree, ready, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = ready[i].data.fd;
      if (fd == floor.listener()) {
        event.data.fd = accept_client(fd).fd.release();
        epoll_ctl(tree, EPOLL_CTL_ADD, event.data.fd, &event);
      } else if (const std::string_view answer = floor.receive(fd); !answer.empty()) {
        say(fd, answer);
      } else {
        close(fd);
      }
    }
  }
}
