// Four clients, echoed by one thread for all or by a thread for each: `loop` or `threads`.

#include <arpa/inet.h>

#include <thread>
#include <vector>

#include "notes/kernel/kernel.h"

namespace {

constexpr std::uint32_t kClients = 4;

// False at the end.
bool echo(const UniqueFd& client) {
  char bytes[100];
  const ssize_t got = recv(client.get(), bytes, sizeof bytes, 0);
  return got > 0 && send(client.get(), bytes, static_cast<std::size_t>(got), 0) == got;
}

void one_for_all(const UniqueFd& listener) {
  const UniqueFd tree = new_tree();
  std::vector<UniqueFd> clients;
  for (std::uint32_t i = 0; i < kClients; ++i) {
    clients.push_back(accepted(listener));
    add(tree, clients[i], EPOLLIN, i);
  }
  epoll_event event{};
  for (std::uint32_t open = kClients; open > 0;) {
    check(epoll_wait(tree.get(), &event, 1, -1), "epoll_wait");
    if (echo(clients[event.data.u32])) continue;
    clients[event.data.u32].reset();
    --open;
  }
}

void one_for_each(const UniqueFd& listener) {
  std::vector<std::jthread> threads;
  for (std::uint32_t i = 0; i < kClients; ++i) {
    threads.emplace_back([client = accepted(listener, 0)] {
      while (echo(client)) continue;
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  const UniqueFd listener = listening();
  std::printf("listening on 127.0.0.1:%d (text)\n", ntohs(port_of(listener)));
  std::fflush(stdout);
  const std::string how = argv[argc - 1];
  how == "loop" ? one_for_all(listener) : one_for_each(listener);
}
