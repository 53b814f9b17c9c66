// A client connects and resets the connection before anybody has accepted it.

#include "notes/kernel/kernel.h"

int main() {
  const UniqueFd listener = listening();
  UniqueFd client = connected_to(listener);
  reset(client);
  wait_for(listener, POLLIN);

  const UniqueFd ours(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
  std::printf("accept4:     %s\n", ours ? "a socket" : said(-1).c_str());
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const int known = getpeername(ours.get(), reinterpret_cast<sockaddr*>(&peer), &size);
  std::printf("getpeername: %s\n", said(known).c_str());
  char byte = 0;
  std::printf("1st recv:    %s\n", said(recv(ours.get(), &byte, 1, 0)).c_str());
  std::printf("2nd recv:    %s\n", said(recv(ours.get(), &byte, 1, 0)).c_str());
}
