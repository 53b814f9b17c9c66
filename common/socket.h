#pragma once
// Descriptors and the system calls on them, with the results a non-blocking loop has to tell apart.

#include <sys/time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/context.h"

// Owns a descriptor; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// done: `bytes` moved. again: not now (EAGAIN), wait to be told. eof: the peer ended its sending
// side. failed: the connection is gone (ECONNRESET, EPIPE, ETIMEDOUT ...), which is the peer's
// business, not ours: nothing is printed. EINTR never shows: both retry.
enum class IoResult : std::uint8_t { done, again, eof, failed };

struct Io {
  IoResult result;
  std::size_t bytes = 0;
};

Io read_some(int fd, std::span<char> room);     // recv(2)
Io write_some(int fd, std::string_view bytes);  // send(2), MSG_NOSIGNAL

// client: `fd` is connected to it. none: nobody waits. no_room: not now, and trying again at once
// would only spin: no descriptor or memory is left (EMFILE, ENFILE, ENOBUFS, ENOMEM), or what is
// wrong concerns all clients (EPERM, EINVAL ...).
enum class AcceptResult : std::uint8_t { client, none, no_room };

struct Accepted {
  AcceptResult result = AcceptResult::none;
  UniqueFd fd = {};
};

// accept4(2), SOCK_NONBLOCK | SOCK_CLOEXEC. An error of one client is skipped, but not without end.
// A client that was reset while it waited is no error on Linux: the first recv says ECONNRESET.
Accepted accept_client(int listener);

// Would a read (or, with `writing`, a write) get anywhere now? poll(2), which does not wait.
bool is_ready(int fd, bool writing);

// Bytes that came and were not read yet (FIONREAD); 0 on error.
std::size_t bytes_waiting(int fd);

// A listening socket, non-blocking, SO_REUSEADDR (restart at once) but not SO_REUSEPORT (it would
// hide that somebody else has the port). TCP_NODELAY, TCP_NOTSENT_LOWAT and SO_OOBINLINE are set
// here because accepted sockets inherit them: no call per client. A kernel without the two of TCP
// serves worse, and is no failure. On failure `error` says why.
UniqueFd listen_on(const std::string& host, std::uint16_t port, std::string& error);

// "127.0.0.1:7001", "[::1]:7001": the address a socket is bound to.
std::string local_address(int fd);

timeval to_timeval(std::chrono::microseconds duration);

// The one door for set-up calls: a system call that may not fail. Says which one did, and exits 1.
int check(int result, const char* call);
template <typename T>
T* check(T* result, const char* call) {
  check(result == nullptr ? -1 : 0, call);
  return result;
}
