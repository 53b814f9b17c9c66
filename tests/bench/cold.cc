// Is it dear that the code is cold when a request comes? `make bench-cold` answers the same
// `GET /hello` three ways, as often each, and takes the time; notes/performance.md explains it.
//
//   cold       at once after recv: the kernel ran before it, and requests of other connections
//   code warm  another connection's session has answered since: the code was run a moment ago, but
//              this connection's data were not touched
//   all warm   the same session has answered since
//
// The loop is stage 1's, the session is the stages', the clients are a thread.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <thread>
#include <vector>

#include "common/check.h"
#include "common/socket.h"
#include "tests/bench/workloads.h"

namespace {

using workload::kLeast;
using Talk = workload::Conversation<HttpSession>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRequests = 200'000;
constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nhello, world\n";

enum Way : std::size_t { kNothing, kCold, kCodeWarm, kAllWarm, kWays };

struct Connection {
  UniqueFd fd, client;
  Talk talk{std::string(kLeast)};
};

// Where epoll_wait's events point to: a deque's elements stay where they are.
using Connections = std::deque<Connection>;

void connect_to(const UniqueFd& listener, const UniqueFd& tree, Connections& all) {
  sockaddr_storage at;
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  check(getsockname(listener.get(), address, &size), "getsockname");
  Connection& c = all.emplace_back();
  c.client = UniqueFd(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  check(connect(c.client.get(), address, size), "connect");
  c.fd = accept_client(listener.get()).fd;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = all.size() - 1}};
  check(epoll_ctl(tree.get(), EPOLL_CTL_ADD, c.fd.get(), &event), "epoll_ctl");
}

// All send before the first one reads, so the server finds many that are ready.
void be_the_clients(const Connections& all) {
  char bytes[kAnswer.size()];
  for (std::size_t sent = 0; sent < kRequests; sent += all.size()) {
    for (const Connection& c : all) send(c.client.get(), kLeast.data(), kLeast.size(), 0);
    for (const Connection& c : all) recv(c.client.get(), bytes, sizeof bytes, MSG_WAITALL);
  }
  for (const Connection& c : all) shutdown(c.client.get(), SHUT_WR);
}

template <typename Work>
double nanoseconds(Work&& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

double answer(Way way, Talk& talk, Talk& another) {
  if (way == kNothing) return nanoseconds([] {});  // what the clock costs
  if (way == kCodeWarm) another();
  if (way == kAllWarm) talk();
  return nanoseconds(talk);
}

void serve(const UniqueFd& tree, Connections& all, std::vector<double> (&found)[kWays]) {
  char bytes[1024];
  epoll_event ready[256];
  std::size_t next = 0;
  for (std::size_t left = all.size(); left != 0;) {
    const int count = check(epoll_wait(tree.get(), ready, 256, -1), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const std::size_t at = ready[i].data.u64;
      if (recv(all[at].fd.get(), bytes, sizeof bytes, 0) <= 0) {
        all[at].fd.reset();
        --left;
        continue;
      }
      // By chance, but the same in every run: no connection always gets the same way.
      const auto way = static_cast<Way>((next++ * 2'654'435'761U >> 16) % kWays);
      found[way].push_back(answer(way, all[at].talk, all[(at + 1) % all.size()].talk));
      send(all[at].fd.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    }
  }
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void measure(std::size_t connections) {
  std::string error;
  const UniqueFd listener = listen_on("127.0.0.1", 0, error);
  const UniqueFd tree(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
  Connections all;
  while (all.size() < connections) connect_to(listener, tree, all);
  std::vector<double> found[kWays];
  std::thread clients([&] { be_the_clients(all); });
  serve(tree, all, found);
  clients.join();
  const double clock = median(found[kNothing]);
  std::printf("%4zu connections: cold %4.0f ns, code warm %4.0f ns, all warm %4.0f ns\n",
              connections, median(found[kCold]) - clock, median(found[kCodeWarm]) - clock,
              median(found[kAllWarm]) - clock);
}

}  // namespace

int main() {
  for (const std::size_t connections : {64U, 400U}) measure(connections);
}
