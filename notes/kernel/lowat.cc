// Where the bytes wait that a client does not read, without and with TCP_NOTSENT_LOWAT.

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <utility>
#include <vector>

#include "notes/kernel/kernel.h"

namespace {

constexpr int kLowat = 64 * 1024, kChunk = 16 * 1024;

int ask(const UniqueFd& fd, unsigned long what) {
  int bytes = 0;
  check(ioctl(fd.get(), what, &bytes), "ioctl");
  return bytes;
}

// As a loop sends: a chunk, whenever the kernel calls the socket writable.
void send_until_stuck(const UniqueFd& fd, const std::vector<char>& chunk, int milliseconds) {
  pollfd one{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  while (check(poll(&one, 1, milliseconds), "poll") > 0) {
    if (send(fd.get(), chunk.data(), chunk.size(), 0) < 0 && errno != EAGAIN) check(-1, "send");
  }
}

// What waits at the server and at the client, once this one has read so much and stopped.
std::pair<int, int> after_reading(long bytes, int lowat) {
  const UniqueFd listener = listening();
  if (lowat > 0) set(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, lowat);
  const UniqueFd client = connected_to(listener), server = accepted(listener);
  std::vector<char> chunk(kChunk);
  while (bytes > 0) {
    send_until_stuck(server, chunk, 0);
    bytes -= check(static_cast<int>(recv(client.get(), chunk.data(), chunk.size(), 0)), "recv");
  }
  send_until_stuck(server, chunk, 300);
  return {ask(server, SIOCOUTQNSD), ask(client, FIONREAD)};
}

}  // namespace

int main() {
  std::printf("%-20s %22s %22s\n", "", "without", "with 64 KiB");
  std::printf("%-20s %11s %10s %11s %10s\n", "the client has read", "not sent", "at client",
              "not sent", "at client");
  bool held = true;
  for (const int megabytes : {0, 1, 100}) {
    const auto [unsent, unread] = after_reading(megabytes * 1'000'000L, 0);
    const auto [unsent_with, unread_with] = after_reading(megabytes * 1'000'000L, kLowat);
    std::printf("%17d MB %11.2f %10.2f %11.2f %10.2f\n", megabytes, unsent / 1e6, unread / 1e6,
                unsent_with / 1e6, unread_with / 1e6);
    held = held && unsent_with <= kLowat + kChunk && unsent_with * 4 < unsent;
  }
  return held ? 0 : 1;
}
