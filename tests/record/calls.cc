// The C library's functions that ask the kernel for something: each does what it does, and tells of
// it as strace would. Those of which strace's lines are not shown (tests/compare/calls.py) are left
// out.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tests/record/recorder.h"

namespace {

using recorder::listens;
using recorder::next;

std::string number(long value) { return std::to_string(value); }

// Tells of a call that has returned, and hands its result on.
template <typename Result>
Result told(const char* name, const std::string& arguments, Result result) {
  const int error = errno;
  const bool failed = result < 0;
  recorder::wake_if_interrupted();
  recorder::tell('C', std::string(name) + '(' + arguments + ") = " +
                          (failed ? std::string("-1 ") + strerrorname_np(error) : number(result)));
  errno = error;
  return result;
}

// How the bytes begin, in double quotes.
std::string beginning(const void* bytes, ssize_t size) {
  constexpr ssize_t kShown = 64;
  std::string text = "\"";
  for (ssize_t i = 0; i < std::min(size, kShown); ++i) {
    const unsigned char c = static_cast<const unsigned char*>(bytes)[i];
    std::array<char, 5> escaped{};
    const bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    std::snprintf(escaped.data(), escaped.size(), plain ? "%c" : "\\x%02x", c);
    text += escaped.data();
  }
  return text + '"';
}

std::string pieces(const iovec* vector, int count, ssize_t moved) {
  const std::string first =
      count > 0
          ? beginning(vector[0].iov_base, std::min(moved, static_cast<ssize_t>(vector[0].iov_len)))
          : "";
  ssize_t size = 0;
  for (int i = 0; i < count; ++i) size += static_cast<ssize_t>(vector[i].iov_len);
  return "[{iov_base=" + first + ", iov_len=" + number(size) + "}], " + number(count);
}

std::string address_text(const sockaddr* address) {
  if (address == nullptr) return "NULL";
  const bool six = address->sa_family == AF_INET6;
  const std::uint16_t port = six ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                                 : reinterpret_cast<const sockaddr_in*>(address)->sin_port;
  return std::string(six ? "{sin6_port=htons(" : "{sin_port=htons(") + number(ntohs(port)) + ")}";
}

int accepted(const char* name, int listener, int client) {
  if (client >= 0) recorder::remember_client(client);
  return listens() ? told(name, number(listener) + ", NULL, NULL", client) : client;
}

// What one more argument of fcntl and ioctl is: a number as wide as a pointer.
struct Request {
  int fd;
  unsigned long what;
  long argument;
};

std::string fcntl_name(unsigned long command) {
  switch (command) {
    case F_DUPFD:
      return "F_DUPFD";
    case F_DUPFD_CLOEXEC:
      return "F_DUPFD_CLOEXEC";
    case F_GETFD:
      return "F_GETFD";
    case F_SETFD:
      return "F_SETFD";
    case F_GETFL:
      return "F_GETFL";
    case F_SETFL:
      return "F_SETFL";
    default:
      return number(static_cast<long>(command));
  }
}

int control(const Request& request) {
  const auto result =
      static_cast<int>(syscall(SYS_fcntl, request.fd, request.what, request.argument));
  if (!listens()) return result;
  return told(
      "fcntl",
      number(request.fd) + ", " + fcntl_name(request.what) + ", " + number(request.argument),
      result);
}

int control_device(const Request& request) {
  const auto result =
      static_cast<int>(syscall(SYS_ioctl, request.fd, request.what, request.argument));
  if (!listens()) return result;
  const std::string start = number(request.fd) + ", ";
  if (request.what != FIONREAD || result < 0)
    return told("ioctl", start + number(static_cast<long>(request.what)), result);
  const int count = *reinterpret_cast<int*>(request.argument);
  return told("ioctl", start + "FIONREAD, [" + number(count) + "]", result);
}

std::string bits_of(std::uint32_t events) {
  struct Bit {
    std::uint32_t bit;
    const char* name;
  };
  constexpr std::array<Bit, 6> kBits = {{{EPOLLIN, "EPOLLIN"},
                                         {EPOLLPRI, "EPOLLPRI"},
                                         {EPOLLOUT, "EPOLLOUT"},
                                         {EPOLLERR, "EPOLLERR"},
                                         {EPOLLHUP, "EPOLLHUP"},
                                         {EPOLLRDHUP, "EPOLLRDHUP"}}};
  std::string text;
  for (const Bit& bit : kBits) {
    if ((events & bit.bit) != 0) text += (text.empty() ? "" : "|") + std::string(bit.name);
  }
  if ((events & EPOLLET) != 0) text += "|EPOLLET";
  if ((events & EPOLLONESHOT) != 0) text += "|EPOLLONESHOT";
  return text.empty() ? "0" : text;
}

int made(const char* name, const std::string& arguments, int fd) {
  return listens() ? told(name, arguments, fd) : fd;
}

}  // namespace

std::string recorder::events_text(const epoll_event* events, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += (i == 0 ? "{events=" : ", {events=") + bits_of(events[i].events) +
            ", data=" + std::to_string(events[i].data.u64) + "}";
  }
  return text;
}

extern "C" {

// ---- time ---------------------------------------------------------------------------------------

int clock_gettime(clockid_t clock, timespec* to) noexcept {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock > CLOCK_BOOTTIME ||
      clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
    return static_cast<int>(syscall(SYS_clock_gettime, clock, to));
  const std::int64_t now = recorder::now();
  *to = {.tv_sec = now / kSecond, .tv_nsec = now % kSecond};
  return 0;
}

// ---- epoll --------------------------------------------------------------------------------------

int epoll_create1(int flags) noexcept {
  return made("epoll_create1", number(flags), static_cast<int>(syscall(SYS_epoll_create1, flags)));
}

int epoll_create(int) noexcept { return epoll_create1(0); }

int epoll_ctl(int tree, int operation, int fd, epoll_event* event) noexcept {
  const auto result = static_cast<int>(syscall(SYS_epoll_ctl, tree, operation, fd, event));
  if (!listens()) return result;
  const char* name = operation == EPOLL_CTL_ADD   ? "EPOLL_CTL_ADD"
                     : operation == EPOLL_CTL_MOD ? "EPOLL_CTL_MOD"
                                                  : "EPOLL_CTL_DEL";
  const std::string wish = operation == EPOLL_CTL_DEL ? "NULL" : recorder::events_text(event, 1);
  return told("epoll_ctl", number(tree) + ", " + name + ", " + number(fd) + ", " + wish, result);
}

int epoll_wait(int tree, epoll_event* events, int room, int timeout) {
  if (listens()) return recorder::wait(tree, events, room, timeout);
  static const auto real = next<decltype(epoll_wait)>("epoll_wait");
  return real(tree, events, room, timeout);
}

// ---- reading and writing ------------------------------------------------------------------------

ssize_t recv(int fd, void* to, size_t size, int flags) {
  static const auto real = next<decltype(recv)>("recv");
  const ssize_t got = real(fd, to, size, flags);
  if (!listens()) return got;
  return told("recvfrom",
              number(fd) + ", " + beginning(to, got) + ", " + number(static_cast<long>(size)), got);
}

ssize_t read(int fd, void* to, size_t size) {
  static const auto real = next<decltype(read)>("read");
  const ssize_t got = real(fd, to, size);
  if (!listens()) return got;
  return told("read",
              number(fd) + ", " + beginning(to, got) + ", " + number(static_cast<long>(size)), got);
}

ssize_t readv(int fd, const iovec* vector, int count) {
  static const auto real = next<decltype(readv)>("readv");
  const ssize_t got = real(fd, vector, count);
  if (!listens()) return got;
  return told("readv", number(fd) + ", " + pieces(vector, count, got), got);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  static const auto real = next<decltype(send)>("send");
  const ssize_t sent = real(fd, bytes, size, flags);
  if (!listens()) return sent;
  const auto asked = static_cast<ssize_t>(size);
  return told("sendto", number(fd) + ", " + beginning(bytes, asked) + ", " + number(asked), sent);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto real = next<decltype(write)>("write");
  const ssize_t sent = real(fd, bytes, size);
  if (!listens()) return sent;
  const auto asked = static_cast<ssize_t>(size);
  return told("write", number(fd) + ", " + beginning(bytes, asked) + ", " + number(asked), sent);
}

ssize_t writev(int fd, const iovec* vector, int count) {
  static const auto real = next<decltype(writev)>("writev");
  const ssize_t sent = real(fd, vector, count);
  if (!listens()) return sent;
  return told("writev", number(fd) + ", " + pieces(vector, count, LONG_MAX), sent);
}

// ---- sockets and other descriptors --------------------------------------------------------------

int accept4(int listener, sockaddr* address, socklen_t* size, int flags) {
  static const auto real = next<decltype(accept4)>("accept4");
  return accepted("accept4", listener, real(listener, address, size, flags));
}

int accept(int listener, sockaddr* address, socklen_t* size) {
  static const auto real = next<decltype(accept)>("accept");
  return accepted("accept", listener, real(listener, address, size));
}

int close(int fd) {
  recorder::forget_client(fd);
  const auto result = static_cast<int>(syscall(SYS_close, fd));
  return listens() ? told("close", number(fd), result) : result;
}

int shutdown(int fd, int how) noexcept {
  const auto result = static_cast<int>(syscall(SYS_shutdown, fd, how));
  const char* name = how == SHUT_WR ? "SHUT_WR" : how == SHUT_RD ? "SHUT_RD" : "SHUT_RDWR";
  return listens() ? told("shutdown", number(fd) + ", " + name, result) : result;
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
  const auto result = static_cast<int>(syscall(SYS_setsockopt, fd, level, option, value, size));
  if (!listens()) return result;
  return told("setsockopt", number(fd) + ", " + number(level) + ", " + number(option), result);
}

int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept {
  const auto result = static_cast<int>(syscall(SYS_getsockname, fd, address, size));
  if (!listens()) return result;
  return told("getsockname", number(fd) + ", " + address_text(result < 0 ? nullptr : address),
              result);
}

int fcntl(int fd, int command, ...) {
  std::va_list rest;
  va_start(rest, command);
  const Request request = {fd, static_cast<unsigned long>(command), va_arg(rest, long)};
  va_end(rest);
  return control(request);
}

int fcntl64(int fd, int command, ...) {
  std::va_list rest;
  va_start(rest, command);
  const Request request = {fd, static_cast<unsigned long>(command), va_arg(rest, long)};
  va_end(rest);
  return control(request);
}

int ioctl(int fd, unsigned long what, ...) noexcept {
  std::va_list rest;
  va_start(rest, what);
  const Request request = {fd, what, va_arg(rest, long)};
  va_end(rest);
  return control_device(request);
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  static const auto real = next<decltype(signalfd)>("signalfd");
  return made("signalfd4", number(fd), real(fd, mask, flags));
}

int eventfd(unsigned int count, int flags) noexcept {
  return made("eventfd2", number(count), static_cast<int>(syscall(SYS_eventfd2, count, flags)));
}

int timerfd_create(clockid_t clock, int flags) noexcept {
  return made("timerfd_create", number(clock),
              static_cast<int>(syscall(SYS_timerfd_create, clock, flags)));
}

int pipe2(int* ends, int flags) noexcept {
  const auto result = static_cast<int>(syscall(SYS_pipe2, ends, flags));
  return made("pipe2", "[" + number(ends[0]) + ", " + number(ends[1]) + "]", result);
}

int pipe(int* ends) noexcept { return pipe2(ends, 0); }

}  // extern "C"

// ---- the beginning and the end ------------------------------------------------------------------

namespace {

void tell_of_exit(int status, void*) {
  if (listens()) recorder::tell('C', "exit_group(" + number(status) + ") = ?");
}

[[gnu::constructor]] void begin() {
  if (listens()) on_exit(tell_of_exit, nullptr);
}

}  // namespace
