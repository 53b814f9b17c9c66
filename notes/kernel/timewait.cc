// Who is left in TIME_WAIT, and who may listen on that port next?

#include <fstream>

#include "notes/kernel/kernel.h"

namespace {

constexpr unsigned kTimeWait = 6;

// What state that end is in, by /proc/net/tcp; 0: there is none.
unsigned state_of(unsigned local_port, unsigned remote_port) {
  std::ifstream table("/proc/net/tcp");
  for (std::string line; std::getline(table, line);) {
    unsigned local = 0, remote = 0, state = 0;
    std::sscanf(line.c_str(), " %*d: %*x:%x %*x:%x %x", &local, &remote, &state);
    if (local == local_port && remote == remote_port) return state;
  }
  return 0;
}

const char* who_waits(unsigned server, unsigned client) {
  while (true) {
    const unsigned at_server = state_of(server, client), at_client = state_of(client, server);
    if (at_server == kTimeWait && at_client == 0) return "the server";
    if (at_client == kTimeWait && at_server == 0) return "the client";
    if (at_client == 0 && at_server == 0) return "nobody";
  }
}

std::string listens(in_port_t port, bool reuse) {
  const UniqueFd fd = new_socket();
  set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
  return said(bind_to(fd, port) < 0 ? -1 : listen(fd.get(), 1));
}

// `first` closes one end, the other end follows, and the listener, unless it stays.
void row(const char* what, bool reuse, void (*first)(Pair&), bool stays = false) {
  const in_port_t port = port_of(listening());  // that nobody is in the way of
  UniqueFd listener = new_socket();
  set(listener, SOL_SOCKET, SO_REUSEADDR, reuse);
  listener = listening(std::move(listener), port);
  UniqueFd client = connected_to(listener);
  const in_port_t client_port = port_of(client);
  Pair pair{accepted(listener), std::move(client)};
  first(pair);
  pair = {};
  if (!stays) listener.reset();
  const char* who = who_waits(ntohs(port), ntohs(client_port));
  const std::string plain = listens(port, false);
  std::printf("%-32s %-11s %-11s %s\n", what, who, plain.c_str(), listens(port, true).c_str());
}

}  // namespace

int main() {
  std::printf("%-32s %-11s %-11s %s\n", "", "TIME_WAIT", "plain", "SO_REUSEADDR");
  row("the server closes first", true, [](Pair& p) { p.ours.reset(); });
  row("... it had no SO_REUSEADDR", false, [](Pair& p) { p.ours.reset(); });
  const auto client_closes = [](Pair& p) { p.peer.reset(); };
  row("the client closes first", true, client_closes);
  row("... and the server listens on", true, client_closes, true);
  row("the server closes by RST", true, [](Pair& p) { reset(p.ours); });
}
