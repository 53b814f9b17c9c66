// Which bits epoll reports, and what recv says, after what the peer may have done.

#include "notes/kernel/peers.h"

namespace {

std::string recv_all(const UniqueFd& fd) {
  char room[100];
  std::string result;
  for (int i = 0; i < 3; ++i) result += said(recv(fd.get(), room, sizeof room, 0)) + ' ';
  return result;
}

}  // namespace

int main() {
  std::printf("%-24s %-23s %-22s %s\n", "the peer", "epoll", "three times recv", "then send");
  for (const Peer& peer : kPeers) {
    const Pair pair = after(peer);
    const UniqueFd tree = new_tree();
    add(tree, pair.ours, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    const std::string before = bits(tree);
    const std::string got = recv_all(pair.ours);
    const std::string sent = said(send(pair.ours.get(), "x", 1, MSG_NOSIGNAL));
    std::printf("%-24s %-23s %-22s %s\n", peer.did, before.c_str(), got.c_str(), sent.c_str());
  }
}
