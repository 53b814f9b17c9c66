#pragma once
// Descriptors and the system calls on them, with the results a non-blocking loop has to tell apart.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/buffer.h"

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

// recv(2), to the end of `to`: what there is, but at most kMostRead bytes.
constexpr std::size_t kMostRead = 16 * 1024;  // so that a bulk sender does not delay the others
Io read_some(int fd, Buffer& to);
// send(2), MSG_NOSIGNAL. Some of `bytes`, perhaps: the rest is still the caller's.
Io write_some(int fd, std::string_view bytes);

// accept4(2), SOCK_NONBLOCK | SOCK_CLOEXEC. none: nobody waits. no_room: there is no descriptor or
// memory for a client, or accepting fails for whatever reason that is not one client's: trying
// again at once would only spin. A client that has reset its connection while it waited is a client
// all the same, on Linux: its first recv tells.
enum class AcceptResult : std::uint8_t { client, none, no_room };

struct Accepted {
  AcceptResult result;
  UniqueFd fd = {};
};
Accepted accept_client(int listener);

// Would a read (or, with `writing`, a write) get anywhere now? poll(2), which does not wait.
bool is_ready(int fd, bool writing);

// Bytes that came and were not read yet (FIONREAD); 0 on error.
std::size_t bytes_waiting(int fd);

// The same socket under another number (F_DUPFD_CLOEXEC).
UniqueFd duplicate(const UniqueFd& fd);

// A listening socket, non-blocking, SO_REUSEADDR (restart at once) but not SO_REUSEPORT (it would
// hide that somebody else has the port). TCP_NODELAY, TCP_NOTSENT_LOWAT and SO_OOBINLINE are set
// here because accepted sockets inherit them: no call per client. A kernel without the two of TCP
// serves worse, and is no failure. On failure `error` says why.
UniqueFd listen_on(const std::string& host, std::uint16_t port, std::string& error);

// "127.0.0.1:7001", "[::1]:7001": the address a socket is bound to.
std::string local_address(int fd);
