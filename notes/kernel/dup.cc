// A descriptor N is put on an epoll tree, duplicated and closed. Who still hears of it?

#include "notes/kernel/kernel.h"

namespace {

void ask(const UniqueFd& tree) {
  std::printf("  epoll_wait: %s\n", bits(tree) == "-" ? "nothing" : "an event for N");
}

void remove(const UniqueFd& tree, const char* name, int fd) {
  std::printf("  EPOLL_CTL_DEL %s: %s\n", name,
              said(epoll_ctl(tree.get(), EPOLL_CTL_DEL, fd, nullptr)).c_str());
}

}  // namespace

int main() {
  const UniqueFd tree = new_tree();
  Pair pair = connected();
  const int n = pair.ours.get();
  add(tree, pair.ours, EPOLLIN);
  say(pair.peer, "x");
  wait_for(pair.ours, POLLIN);
  std::printf("N is on the tree, and a byte has come\n");
  ask(tree);

  UniqueFd m = duplicate(pair.ours);
  pair.ours.reset();
  std::printf("M is a duplicate of N, and N is closed\n");
  ask(tree);
  remove(tree, "N", n);
  remove(tree, "M", m.get());

  const UniqueFd stranger = new_socket();
  std::printf("another socket is given the number N: %s\n", stranger.get() == n ? "yes" : "no");
  ask(tree);
  remove(tree, "N", n);

  m.reset();
  std::printf("M is closed, too\n");
  ask(tree);
}
