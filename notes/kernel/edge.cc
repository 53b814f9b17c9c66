// One socket on two epoll trees, level-triggered and edge-triggered: which of them wakes when?

#include "notes/kernel/kernel.h"

namespace {

// Both what happens and its name.
std::string comes(const Pair& pair, const std::string& bytes) {
  say(pair.peer, bytes);
  wait_for(pair.ours, POLLIN);
  return std::to_string(bytes.size()) + " bytes come";
}

std::string reads(const Pair& pair, std::size_t room) {
  char bytes[100];
  const std::string got = said(recv(pair.ours.get(), bytes, room, 0));
  return "recv with room for " + std::to_string(room) + ": " + got;
}

}  // namespace

int main() {
  Pair pair = connected();
  const UniqueFd level = new_tree(), edge = new_tree();
  add(level, pair.ours, EPOLLIN | EPOLLRDHUP);
  add(edge, pair.ours, EPOLLIN | EPOLLRDHUP | EPOLLET);
  const auto row = [&](const std::string& what) {
    const std::string by_level = bits(level);
    std::printf("%-32s %-10s %s\n", what.c_str(), by_level.c_str(), bits(edge).c_str());
  };
  std::printf("%-32s %-10s %s\n", "first this, then epoll_wait:", "level", "edge");
  row(comes(pair, "1234567890"));
  row("nothing");
  row(reads(pair, 4));
  row(comes(pair, "12"));
  row(reads(pair, 100));
  row(comes(pair, "12"));
  set(pair.ours, SOL_SOCKET, SO_OOBINLINE, 1);
  check(static_cast<int>(send(pair.peer.get(), "3", 1, MSG_OOB)), "send");
  wait_for(pair.ours, POLLPRI);
  row("an urgent byte comes, too");
  row(reads(pair, 100));
  row(reads(pair, 100));
  row(comes(pair, "12"));
  pair.peer.reset();
  wait_for(pair.ours, POLLRDHUP);
  row("FIN comes");
  row(reads(pair, 100));
  row(reads(pair, 100));
}
