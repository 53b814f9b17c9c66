// Descriptors: each result a loop has to tell apart, from real sockets.

#include "common/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "common/check.h"
#include "tests/unit/sockets.h"
#include "tests/unit/support.h"

namespace {

using namespace std::chrono_literals;

struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()), "socketpair");
    here.reset(fds[0]);
    there.reset(fds[1]);
  }
  UniqueFd here;
  UniqueFd there;
};

std::uint16_t port_of(const UniqueFd& fd) {
  const std::string address = local_address(fd.get());
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

int option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  check(getsockopt(fd, level, option, &value, &size), "getsockopt");
  return value;
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST(UniqueFd, ClosesOnce) {
  Pair pair;
  const int number = pair.here.get();
  UniqueFd moved = std::move(pair.here);
  EXPECT_EQ(moved.get(), number);
  EXPECT_EQ(pair.here.get(), -1);  // NOLINT(bugprone-use-after-move): moved from means empty
  EXPECT_TRUE(is_open(number));
  moved = std::move(pair.there);
  EXPECT_EQ(pair.there.get(), -1);  // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(is_open(number));
  const int other = moved.release();
  EXPECT_FALSE(moved);
  EXPECT_EQ(moved.get(), -1);
  EXPECT_TRUE(is_open(other));
  moved.reset(other);
  moved.reset();
  EXPECT_EQ(moved.get(), UniqueFd().get());
  EXPECT_FALSE(is_open(other));
}

// Fails where 0 is taken for no descriptor, and stays open.
TEST(UniqueFd, MayBeZero) {
  const UniqueFd standard_input(fcntl(0, F_DUPFD_CLOEXEC, 3));
  close(0);
  UniqueFd zero(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(zero.get(), 0);
  EXPECT_TRUE(zero);
  zero.reset();
  EXPECT_FALSE(is_open(0));
  dup2(standard_input.get(), 0);
}

TEST(ReadSome, TellsItsResultsApart) {
  BufferPool pool;
  Buffer in(pool);
  Pair pair;
  EXPECT_EQ(read_some(pair.here.get(), in).result, IoResult::again);
  ASSERT_EQ(write_some(pair.there.get(), "hello, ").bytes, 7U);
  EXPECT_EQ(bytes_waiting(pair.here.get()), 7U);
  Io got = read_some(pair.here.get(), in);
  EXPECT_EQ(got.result, IoResult::done);
  EXPECT_EQ(got.bytes, 7U);
  ASSERT_EQ(write_some(pair.there.get(), "world").bytes, 5U);
  got = read_some(pair.here.get(), in);
  EXPECT_EQ(got.bytes, 5U);
  EXPECT_EQ(in.view(), "hello, world") << "behind what was there";
  EXPECT_EQ(bytes_waiting(pair.here.get()), 0U);
  EXPECT_EQ(bytes_waiting(-1), 0U);
  shutdown(pair.there.get(), SHUT_WR);
  EXPECT_EQ(read_some(pair.here.get(), in).result, IoResult::eof);
  EXPECT_EQ(read_some(-1, in).result, IoResult::failed);
  EXPECT_EQ(in.view(), "hello, world");
}

TEST(ReadSome, ReadsABoundedAmountAndKeepsNoBlockForNothing) {
  BufferPool pool;
  Buffer in(pool);
  Pair pair;
  const std::string bytes(64 * 1024, 'x');
  ASSERT_EQ(write_some(pair.there.get(), bytes).bytes, bytes.size());
  in.room(32 * 1024);  // however much room there is
  EXPECT_EQ(read_some(pair.here.get(), in).bytes, 16U * 1024);
  while (read_some(pair.here.get(), in).result == IoResult::done) in.clear();
  EXPECT_EQ(in.view().data(), nullptr);
}

// Fails where a read into a buffer that is nearly full is a small one, or grows one that is not.
TEST(ReadSome, GrowsWhatIsNearlyFull) {
  for (const auto& [left, expected] :
       {std::pair<std::size_t, std::size_t>(4096, 4096), {4095, 8192}}) {
    BufferPool pool;
    Buffer in(pool);
    in.append(std::string(BufferPool::kBlockSize - left, 'x'));
    Pair pair;
    ASSERT_EQ(write_some(pair.there.get(), std::string(8192, 'y')).bytes, 8192U);
    EXPECT_EQ(read_some(pair.here.get(), in).bytes, expected);
  }
}

TEST(ReadSome, AResetIsAFailure) {
  const UniqueFd listener = listen_here();
  UniqueFd client = connect_to(listener);
  const Accepted accepted = accept_client(listener.get());
  ASSERT_EQ(accepted.result, AcceptResult::client);
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client.reset();
  BufferPool pool;
  Buffer in(pool);
  EXPECT_EQ(read_some(accepted.fd.get(), in).result, IoResult::failed);
}

TEST(WriteSome, TellsItsResultsApart) {
  Pair pair;
  EXPECT_EQ(write_some(pair.here.get(), "").result, IoResult::done) << "nothing is no error";
  const std::string bytes(1 << 20, 'x');
  const Io sent = write_some(pair.here.get(), bytes);
  EXPECT_EQ(sent.result, IoResult::done);
  EXPECT_GT(sent.bytes, 0U);
  EXPECT_LT(sent.bytes, bytes.size());
  Io more = sent;
  while (more.result == IoResult::done) more = write_some(pair.here.get(), bytes);
  EXPECT_EQ(more.result, IoResult::again);
  pair.there.reset();
  EXPECT_EQ(write_some(pair.here.get(), bytes).result, IoResult::failed) << "and no SIGPIPE";
}

TEST(AcceptClient, TellsItsResultsApart) {
  const UniqueFd listener = listen_here();
  EXPECT_EQ(accept_client(listener.get()).result, AcceptResult::none);
  const UniqueFd client = connect_to(listener);
  const Accepted accepted = accept_client(listener.get());
  ASSERT_EQ(accepted.result, AcceptResult::client);
  EXPECT_NE(fcntl(accepted.fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(accepted.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(option_of(accepted.fd.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(option_of(accepted.fd.get(), SOL_SOCKET, SO_OOBINLINE), 0);
  EXPECT_EQ(accept_client(listener.get()).result, AcceptResult::none);
}

// Fails where it waits, takes one direction for the other, or does not see an end.
TEST(IsReady, TellsWhetherACallWouldGetAnywhere) {
  Pair pair;
  EXPECT_FALSE(is_ready(pair.here.get(), false));
  EXPECT_TRUE(is_ready(pair.here.get(), true));
  ASSERT_EQ(write_some(pair.there.get(), "x").bytes, 1U);
  EXPECT_TRUE(is_ready(pair.here.get(), false));
  while (write_some(pair.here.get(), std::string(1 << 16, 'x')).result == IoResult::done) continue;
  EXPECT_FALSE(is_ready(pair.here.get(), true));
  EXPECT_FALSE(is_ready(-1, false));
  Pair ended;
  shutdown(ended.there.get(), SHUT_WR);
  EXPECT_TRUE(is_ready(ended.here.get(), false));
}

TEST(AcceptClient, OutOfDescriptorsThereIsNoRoom) {
  const UniqueFd listener = listen_here();
  const UniqueFd client = connect_to(listener);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const Accepted refused = accept_client(listener.get());
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(refused.result, AcceptResult::no_room);
  EXPECT_EQ(accept_client(listener.get()).result, AcceptResult::client) << "it waited";
}

// Fails where an error that every accept4 gives is tried again for ever.
TEST(AcceptClient, WhatConcernsAllClientsIsNotTriedAgain) {
  EXPECT_EQ(accept_client(-1).result, AcceptResult::no_room) << "EBADF";
  const UniqueFd no_listener(check(socket(AF_INET, SOCK_STREAM, 0), "socket"));
  EXPECT_EQ(accept_client(no_listener.get()).result, AcceptResult::no_room) << "EINVAL";
  const UniqueFd no_stream(check(socket(AF_INET, SOCK_DGRAM, 0), "socket"));
  EXPECT_EQ(accept_client(no_stream.get()).result, AcceptResult::no_room) << "EOPNOTSUPP";
}

// Fails where the comment on accept_client says less than Linux does.
TEST(AcceptClient, AResetInTheQueueIsStillAClient) {
  const UniqueFd listener = listen_here();
  UniqueFd client = connect_to(listener);
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client.reset();
  const Accepted accepted = accept_client(listener.get());
  ASSERT_EQ(accepted.result, AcceptResult::client);
  BufferPool pool;
  Buffer in(pool);
  EXPECT_EQ(read_some(accepted.fd.get(), in).result, IoResult::failed);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(ListenOn, PicksAPort) {
  const UniqueFd one = listen_here();
  const UniqueFd two = listen_here();
  EXPECT_NE(port_of(one), 0);
  EXPECT_NE(port_of(one), port_of(two));
  EXPECT_NE(fcntl(one.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(one.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(option_of(one.get(), SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(option_of(one.get(), SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_EQ(option_of(one.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT), 64 * 1024);
}

// Fails where the kernel is asked for a shorter queue than it has: it cuts what is too much.
TEST(ListenOn, AsksForALongQueue) {
  const UniqueFd listener = listen_here();
  tcp_info info{};
  socklen_t size = sizeof info;
  check(getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size), "getsockopt");
  if (size < sizeof info) GTEST_SKIP() << "this kernel tells less: qemu-user does";
  unsigned most = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> most;
  ASSERT_GT(most, 0U);
  EXPECT_EQ(info.tcpi_sacked, std::min(most, 4096U)) << "of a listening socket: its queue's length";
}

TEST(ListenOn, ATakenPortIsAnError) {
  const UniqueFd first = listen_here();
  std::string error;
  EXPECT_FALSE(listen_on("127.0.0.1", port_of(first), error));
  EXPECT_THAT(error, testing::HasSubstr("in use"));
}

// A restart finds its port although connections of its predecessor are in TIME_WAIT.
TEST(ListenOn, TakesItsPortAgain) {
  UniqueFd first = listen_here();
  const std::uint16_t port = port_of(first);
  UniqueFd client = connect_to(first);
  Accepted accepted = accept_client(first.get());
  accepted.fd.reset();  // the side that closes first is the one in TIME_WAIT
  client.reset();
  first.reset();
  listen_here(port);
}

TEST(ListenOn, ANameThatIsNoneIsAnError) {
  std::string error;
  EXPECT_FALSE(listen_on("256.256.256.256.invalid", 0, error));
  EXPECT_THAT(error, testing::AnyOf(gai_strerror(EAI_NONAME), gai_strerror(EAI_AGAIN),
                                    gai_strerror(EAI_FAIL)));
  error.clear();
  EXPECT_FALSE(listen_on("192.0.2.1", 0, error)) << "nobody's address";
  EXPECT_FALSE(error.empty());
}

TEST(LocalAddress, IsReadable) {
  const UniqueFd four = listen_here();
  EXPECT_THAT(local_address(four.get()), testing::MatchesRegex(R"(127\.0\.0\.1:[0-9]+)"));
  std::string error;
  const UniqueFd six = listen_on("::1", 0, error);
  if (!six) GTEST_SKIP() << "no IPv6 here: " << error;
  EXPECT_THAT(local_address(six.get()), testing::MatchesRegex(R"(\[::1\]:[0-9]+)"));
}

TEST(Check, NamesTheCallAndExits) {
  EXPECT_EQ(check(3, "call"), 3);
  EXPECT_EXIT(
      {
        errno = EMFILE;
        check(-1, "some_call");
      },
      testing::ExitedWithCode(1), "^some_call: Too many open files\n$");
}

// event_base_priority_init(base, 256) is one: libevent says -1, and nothing of why.
TEST(Check, ExitsWithoutAnErrno) {
  EXPECT_EXIT(
      {
        errno = 0;
        check(-1, "some_call");
      },
      testing::ExitedWithCode(1), "^some_call failed\n$");
}

// pthread_sigmask(3) and its kin return the error, and set no errno.
TEST(Check, SeesAnErrorThatIsReturned) {
  check_error(0, "call");
  EXPECT_EXIT(check_error(EINVAL, "pthread_call"), testing::ExitedWithCode(1),
              "^pthread_call: Invalid argument\n$");
}

// Whatever errno says, it was somebody else who set it.
TEST(Check, TellsNoErrnoOfANullPointer) {
  int object = 0;
  EXPECT_EQ(check(&object, "call"), &object);
  EXPECT_EXIT(
      {
        errno = ENOENT;
        check(static_cast<int*>(nullptr), "make_object");
      },
      testing::ExitedWithCode(1), "^make_object failed\n$");
}
