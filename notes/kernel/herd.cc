// One client after the other, six loops: how many of these come to accept4 in vain?

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "notes/kernel/kernel.h"

namespace {

constexpr int kLoops = 6, kClients = 100;

// Returns how many clients it has served.
int run(const UniqueFd& listener, std::uint32_t interest, const UniqueFd& stop,
        std::atomic<int>& in_vain) {
  const UniqueFd tree = new_tree();
  add(tree, listener, interest, 1);
  add(tree, stop, EPOLLIN, 0);
  int served = 0;
  epoll_event event{};
  while (check(epoll_wait(tree.get(), &event, 1, -1), "epoll_wait") > 0 && event.data.u32 == 1) {
    usleep(1000);  // what is before it in the batch
    const UniqueFd client(accept4(listener.get(), nullptr, nullptr, 0));
    if (client) ++served;
    if (!client) ++in_vain;
  }
  return served;
}

void row(const char* what, std::uint32_t interest, bool each_has_its_own) {
  std::vector<UniqueFd> listeners;
  for (int i = 0; i < (each_has_its_own ? kLoops : 1); ++i) {
    UniqueFd fd = new_socket(SOCK_NONBLOCK);
    set(fd, SOL_SOCKET, SO_REUSEPORT, each_has_its_own);
    listeners.push_back(listening(std::move(fd), i > 0 ? port_of(listeners[0]) : in_port_t{0}));
  }
  const UniqueFd stop(check(eventfd(0, 0), "eventfd"));
  std::vector<int> served(kLoops);
  std::atomic<int> in_vain = 0;
  std::vector<std::jthread> loops;
  for (std::size_t i = 0; i < kLoops; ++i) {
    const UniqueFd& listener = listeners[i % listeners.size()];
    loops.emplace_back([&, i] { served[i] = run(listener, interest, stop, in_vain); });
  }
  for (int i = 0; i < kClients; ++i) {
    wait_for(connected_to(listeners[0]), POLLIN);  // it is accepted, and closed
    usleep(5000);                                  // by now all loops sleep again
  }
  check(eventfd_write(stop.get(), 1), "eventfd_write");
  loops.clear();  // joins them
  const auto busy = std::ranges::count_if(served, [](int clients) { return clients >= 5; });
  const char* often = in_vain > 2 * kClients ? "more than 2 a client" : "at most 2 a client";
  if (in_vain * 5 < kClients) often = "fewer than 1 in 5 clients";
  if (in_vain == 0 && each_has_its_own) often = "none";  // among those who share, that is luck
  std::printf("%-16s %-27s %s\n", what, often, busy == 1 ? "one" : "several");
}

}  // namespace

int main() {
  std::printf("%-16s %-27s %s\n", "", "accepts in vain", "loops that serve");
  row("plain", EPOLLIN, false);
  row("EPOLLEXCLUSIVE", EPOLLIN | EPOLLEXCLUSIVE, false);
  row("SO_REUSEPORT", EPOLLIN, true);
}
