// What two sends say, and which of them raises SIGPIPE, after what the peer may have done.

#include <csignal>

#include "notes/kernel/peers.h"

namespace {

// SIGPIPE is blocked, so it waits where it can be seen.
bool take_sigpipe(const sigset_t& sigpipe) {
  const timespec at_once{};
  return sigtimedwait(&sigpipe, nullptr, &at_once) == SIGPIPE;
}

std::string send_one(const UniqueFd& fd, const sigset_t& sigpipe) {
  const std::string result = said(send(fd.get(), "x", 1, 0));
  return result + (take_sigpipe(sigpipe) ? " SIGPIPE" : "");
}

}  // namespace

int main() {
  sigset_t sigpipe;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  check_error(pthread_sigmask(SIG_BLOCK, &sigpipe, nullptr), "pthread_sigmask");

  const UniqueFd listener = listening(), client = connected_to(listener);
  std::printf("nobody has accepted: %s\n", send_one(client, sigpipe).c_str());
  const Pair full = connected();
  const std::string much(64 << 20, 'x');
  const ssize_t sent = send(full.ours.get(), much.data(), much.size(), 0);
  std::printf("64 MiB, nobody reads: %s\n",
              sent > 0 && sent < ssize(much) ? "a part of it" : "all of it");
  std::printf("%-24s %-16s %s\n", "the peer", "1st send", "2nd send");
  for (const Peer& peer : kPeers) {
    const Pair pair = after(peer);
    const std::string first = send_one(pair.ours, sigpipe);
    if (peer.is_gone) wait_for(pair.ours, 0);
    std::printf("%-24s %-16s %s\n", peer.did, first.c_str(), send_one(pair.ours, sigpipe).c_str());
  }
}
