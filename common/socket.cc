#include "common/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "common/check.h"

namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn
// What waits in the kernel for a slow client, megabytes without this. "Writable" then means that
// the client has read, and soon: a third of megabytes may take it longer than the idle time-out.
constexpr int kMaxUnsent = 64 * 1024;

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

int set_option(int fd, int level, int option, int value = 1) {
  return setsockopt(fd, level, option, &value, sizeof value);
}

UniqueFd listen_at(const addrinfo& address) {
  UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  check(set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR), "setsockopt SO_REUSEADDR");
  check(set_option(fd.get(), SOL_SOCKET, SO_OOBINLINE), "setsockopt SO_OOBINLINE");
  // Niceties, and not every kernel has them: serving worse is better than not starting.
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  set_option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kMaxUnsent);
  if (bind(fd.get(), address.ai_addr, address.ai_addrlen) < 0 || listen(fd.get(), kBacklog) < 0) {
    const int why = errno;
    fd.reset();
    errno = why;
  }
  return fd;
}

// Is an error of accept4 about the client whose turn it was, or about nothing? Then the next one
// may still come. The network errors are those that accept(2) tells to treat so.
bool is_one_clients(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

Io result_of(ssize_t moved) {
  if (moved >= 0) return {IoResult::done, static_cast<std::size_t>(moved)};
  return {errno == EAGAIN || errno == EWOULDBLOCK ? IoResult::again : IoResult::failed};
}

}  // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) close(fd_);  // never retried: on Linux it is gone even after EINTR
  fd_ = fd;
}

Io read_some(int fd, Buffer& to) {
  constexpr std::size_t kLeast = 4 * 1024;  // a buffer that is nearly full grows first
  const std::span<char> room = to.room(kLeast);
  ssize_t got = 0;
  do got = recv(fd, room.data(), std::min(room.size(), kMostRead), 0);
  while (got < 0 && errno == EINTR);
  if (got > 0) to.commit(static_cast<std::size_t>(got));
  if (to.empty()) to.clear();  // it took a block for nothing
  return got == 0 ? Io{IoResult::eof} : result_of(got);
}

Io write_some(int fd, std::string_view bytes) {
  ssize_t sent = 0;
  do sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return result_of(sent);
}

Accepted accept_client(int listener) {
  constexpr int kMostErrors = 64;  // in a row: even errors that are nothing must not hold the loop
  for (int i = 0; i < kMostErrors; ++i) {
    UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) return {AcceptResult::client, std::move(fd)};
    if (errno == EAGAIN) return {AcceptResult::none};
    if (!is_one_clients(errno)) break;
  }
  return {AcceptResult::no_room};
}

bool is_ready(int fd, bool writing) {
  pollfd waiting{.fd = fd, .events = writing ? short{POLLOUT} : short{POLLIN}, .revents = 0};
  return poll(&waiting, 1, 0) > 0;
}

std::size_t bytes_waiting(int fd) {
  int count = 0;
  return ioctl(fd, FIONREAD, &count) == 0 ? static_cast<std::size_t>(count) : 0;
}

UniqueFd duplicate(const UniqueFd& fd) {
  return UniqueFd(check(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0), "fcntl"));
}

UniqueFd listen_on(const std::string& host, std::uint16_t port, std::string& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  if (const int status = getaddrinfo(host.c_str(), service.c_str(), &hints, &found); status != 0) {
    error = status == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(status);
    return {};
  }
  const AddressList addresses(found, freeaddrinfo);
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    UniqueFd fd = listen_at(*address);
    if (fd) return fd;
    error = std::strerror(errno);
    if (errno == EADDRINUSE) break;  // not on another address instead: nobody would look there
  }
  return {};
}

std::string local_address(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  check(getsockname(fd, generic, &size), "getsockname");
  getnameinfo(generic, size, host.data(), host.size(), port.data(), port.size(),
              NI_NUMERICHOST | NI_NUMERICSERV);
  const std::string name(host.data());
  return (address.ss_family == AF_INET6 ? '[' + name + ']' : name) + ':' + port.data();
}
