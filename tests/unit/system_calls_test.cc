// What is made of each error, and what is asked of the C library how often. The calls stand here in
// place of the C library's: they end as a test says, and else as the kernel says.

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#include <deque>
#include <optional>

#include "common/admission.h"
#include "common/date.h"
#include "common/heap_trim.h"
#include "common/process.h"
#include "tests/unit/sockets.h"
#include "tests/unit/support.h"

namespace {

// A call that fails with those errors, one after the other, before the kernel is asked.
struct Script {
  std::deque<int> errors = {};
  int calls = 0;
  int flags = 0;  // of the last one

  bool fails(int with) {
    if (++calls > 10'000) std::abort();  // for ever
    flags = with;
    if (errors.empty()) return false;
    errno = errors.front();
    errors.pop_front();
    return true;
  }
};
Script accepting, receiving, sending;
std::optional<std::time_t> time_of_day;
int name_flags = 0;
int longest_poll = 0;  // milliseconds
int trims = 0;
int dates = 0;  // that were taken apart

}  // namespace

extern "C" {
int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (accepting.fails(flags)) return -1;
  return static_cast<int>(syscall(SYS_accept4, fd, address, size, flags));
}
ssize_t recv(int fd, void* to, std::size_t size, int flags) {
  return receiving.fails(flags) ? -1 : syscall(SYS_recvfrom, fd, to, size, flags, nullptr, nullptr);
}
ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  return sending.fails(flags) ? -1 : syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
}
int poll(pollfd* of, nfds_t count, int milliseconds) {
  longest_poll = std::max(longest_poll, milliseconds);
  const timespec limit{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
  return static_cast<int>(
      syscall(SYS_ppoll, of, count, milliseconds < 0 ? nullptr : &limit, nullptr, 0));
}
int getnameinfo(const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                char* port, socklen_t port_size, int flags) {
  name_flags = flags;
  static const auto real =
      reinterpret_cast<decltype(&getnameinfo)>(dlsym(RTLD_NEXT, "getnameinfo"));
  return real(address, size, host, host_size, port, port_size, flags);
}
std::time_t time(std::time_t* /*also_here*/) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return time_of_day.value_or(now.tv_sec);
}
std::tm* gmtime_r(const std::time_t* seconds, std::tm* to) noexcept {
  ++dates;
  static const auto real = reinterpret_cast<decltype(&gmtime_r)>(dlsym(RTLD_NEXT, "gmtime_r"));
  return real(seconds, to);
}
int malloc_trim(std::size_t) noexcept {
  ++trims;
  return 0;
}
}

namespace {

class SystemCalls : public testing::Test {
 protected:
  void SetUp() override {
    accepting = receiving = sending = {};
    time_of_day.reset();
    name_flags = longest_poll = trims = dates = 0;
  }

  const UniqueFd listener_ = listen_here();
  const UniqueFd client_ = connect_to(listener_);
};

}  // namespace

// Fails where an errno is missing from the list of accept(2): one client's bad luck stops accepting
// for 100 ms.
TEST_F(SystemCalls, WhatIsOneClientsErrorIsNotTheNextOnes) {
  for (const int error : {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
                          EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH}) {
    const UniqueFd waits = connect_to(listener_);
    accepting = {.errors = {error}};
    EXPECT_EQ(accept_client(listener_.get()).result, AcceptResult::client) << error;
    EXPECT_EQ(accepting.calls, 2) << error;
  }
}

// Fails where accepting is tried again at once although nothing has changed, or stops where nobody
// waits.
TEST_F(SystemCalls, AnErrorOfTheProcessIsNoRoom) {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EACCES, EBADF, EINVAL}) {
    accepting = {.errors = {error}};
    EXPECT_EQ(accept_client(listener_.get()).result, AcceptResult::no_room) << error;
    EXPECT_EQ(accepting.calls, 1) << error;
  }
  accepting = {.errors = {EAGAIN}};
  EXPECT_EQ(accept_client(listener_.get()).result, AcceptResult::none);
}

// Fails where errors in a row hold the loop for ever, or fewer than 64 are too many.
TEST_F(SystemCalls, AcceptingIsTriedSoOften) {
  accepting.errors.assign(63, EINTR);
  EXPECT_EQ(accept_client(listener_.get()).result, AcceptResult::client);
  const UniqueFd another = connect_to(listener_);
  accepting = {};
  accepting.errors.assign(1000, EINTR);
  EXPECT_EQ(accept_client(listener_.get()).result, AcceptResult::no_room);
  EXPECT_EQ(accepting.calls, 64);
}

// Fails where a signal ends a connection, or an error of the connection is waited out.
TEST_F(SystemCalls, ReadingAndWritingTellErrorsApart) {
  const Accepted server = accept_client(listener_.get());
  BufferPool pool;
  Buffer in(pool);
  sending = {.errors = {EINTR, EINTR}};
  EXPECT_EQ(write_some(client_.get(), "abc").bytes, 3U);
  EXPECT_EQ(sending.calls, 3);
  EXPECT_EQ(sending.flags, MSG_NOSIGNAL);
  receiving = {.errors = {EINTR, EINTR}};
  EXPECT_EQ(read_some(server.fd.get(), in).bytes, 3U);
  EXPECT_EQ(receiving.calls, 3);
  for (const int error : {EAGAIN, ECONNRESET, ETIMEDOUT, EPIPE, EHOSTUNREACH, ENOTCONN}) {
    const auto expected = error == EAGAIN ? IoResult::again : IoResult::failed;
    receiving.errors = sending.errors = {error};
    const Io got = read_some(server.fd.get(), in);
    EXPECT_EQ(got.result, expected) << error;
    EXPECT_EQ(got.bytes, 0U) << error;
    EXPECT_EQ(write_some(client_.get(), "abc").result, expected) << error;
  }
  EXPECT_EQ(in.view(), "abc");
}

// Fails where an errno of before is taken for that of a call that went well: for ever.
TEST_F(SystemCalls, AnEndIsNoSignal) {
  const Accepted server = accept_client(listener_.get());
  shutdown(client_.get(), SHUT_WR);
  BufferPool pool;
  Buffer in(pool);
  receiving = {.errors = {EINTR}};
  EXPECT_EQ(read_some(server.fd.get(), in).result, IoResult::eof);
  EXPECT_EQ(receiving.calls, 2);
  sending = {.errors = {EINTR}};
  EXPECT_EQ(write_some(server.fd.get(), "").result, IoResult::done);
  EXPECT_EQ(sending.calls, 2);
}

// Fails where the loop waits, be it a millisecond, for a client or for who reads what it prints.
TEST_F(SystemCalls, LookingWhetherACallWouldWaitDoesNot) {
  EXPECT_FALSE(is_ready(client_.get(), false));
  std::array<int, 2> ends{};
  check(pipe2(ends.data(), O_NONBLOCK), "pipe2");
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  while (write(out.get(), "x", 1) > 0) continue;
  print_line(out.get(), "dropped");
  EXPECT_EQ(longest_poll, 0);
}

// Fails where the start waits for a name server, or a port shows as its name in /etc/services.
TEST_F(SystemCalls, AnAddressIsNumbers) {
  EXPECT_EQ(local_address(listener_.get()).substr(0, 10), "127.0.0.1:");
  EXPECT_EQ(name_flags, NI_NUMERICHOST | NI_NUMERICSERV);
}

// Fails where the line is formatted once and never again, each time, or is another second's.
TEST_F(SystemCalls, TheDateIsThatOfTheSecond) {
  Date date;
  for (const auto& [second, line] :
       {std::pair<std::time_t, std::string_view>(0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
        {784111778, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"},
        {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}}) {  // the clock may be set back
    time_of_day = second;
    EXPECT_EQ(date.line(), line);
    EXPECT_EQ(date.line(), line);
  }
  EXPECT_EQ(dates, 4);
}

// Fails where pages are given back for a few clients, for each that leaves, or never.
TEST_F(SystemCalls, PagesGoBackWhenHalfOfManyClientsAreGone) {
  HeapTrim heap;
  const auto after = [&heap](std::uint64_t open) {
    const int before = trims;
    heap.after_batch(open);
    return trims - before;
  };
  for (const std::uint64_t open : {0, 127, 0, 0}) EXPECT_EQ(after(open), 0) << "a few";
  HeapTrim many;
  heap = many;
  for (const std::uint64_t open : {10, 128, 65}) EXPECT_EQ(after(open), 0) << open;
  EXPECT_EQ(after(64), 1) << "half of 128";
  EXPECT_EQ(after(64), 1) << "once more: libevent frees in the turn after";
  for (const std::uint64_t open : {64, 32, 0}) EXPECT_EQ(after(open), 0) << "few, from now on";
  for (const std::uint64_t open : {1000, 501}) EXPECT_EQ(after(open), 0) << open;
  for (const std::uint64_t open : {500, 250, 125, 62}) EXPECT_EQ(after(open), 1) << open;
  EXPECT_EQ(after(62), 0) << "half of 125 is no storm";
}

// Fails where nobody asks for that.
TEST_F(SystemCalls, PagesGoBackAfterTheBatch) {
  Stats stats;
  const Clock::time_point now = Clock::now();
  Admission admission(stats, 1000, std::chrono::seconds(5), now);
  for (int i = 0; i < 128; ++i) admission.entered();
  admission.left(0);  // a batch in which they came
  admission.left(63);
  EXPECT_EQ(trims, 0);
  admission.left(1);
  EXPECT_EQ(trims, 1);
}
