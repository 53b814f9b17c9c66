// Who calls malloc? A program of its own, because it replaces malloc and counts.

#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "common/process.h"
#include "common/session.h"

extern "C" {
// glibc's own, under the names it keeps for replacements.
void* __libc_malloc(std::size_t size);                 // NOLINT
void* __libc_calloc(std::size_t n, std::size_t size);  // NOLINT
void* __libc_realloc(void* block, std::size_t size);   // NOLINT
void __libc_free(void* block);                         // NOLINT
}

namespace {

struct Count {
  long calls = 0;  // that took memory
  long live = 0;   // blocks not given back yet
  std::size_t largest = 0;
  std::size_t most = SIZE_MAX;  // what is larger is refused
};
constinit Count count;

}  // namespace

// operator new ends here too.
extern "C" void* malloc(std::size_t size) {
  if (size > count.most) return nullptr;
  ++count.calls;
  ++count.live;
  count.largest = std::max(count.largest, size);
  return __libc_malloc(size);
}
extern "C" void* calloc(std::size_t n, std::size_t size) {
  ++count.calls;
  ++count.live;
  return __libc_calloc(n, size);
}
extern "C" void* realloc(void* block, std::size_t size) {
  if (size > count.most) return nullptr;
  ++count.calls;
  if (block == nullptr) ++count.live;
  count.largest = std::max(count.largest, size);
  return __libc_realloc(block, size);
}
extern "C" void free(void* block) {
  if (block != nullptr) --count.live;
  __libc_free(block);
}

namespace {

constexpr std::string_view kHello =
    "GET /%68ello HTTP/1.1\r\nHost: [2001:db8:0:0:0:0:0:1]:8001\r\n\r\n";
constexpr std::string_view kUpper =
    "POST /upper HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
constexpr std::string_view kQuery = "GET /upper?text=abc%20d HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kStats = "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n";

class Allocation : public testing::Test {
 protected:
  // One turn of a connection, as a stage does it.
  void serve(Session& session, std::string_view bytes) {
    session.feed(bytes);
    session.advance(out_, false);
    answered_ += out_.size();
    session.sent(out_.size(), true);
    out_.consume(out_.size());
    session.advance(out_, false);
  }

  std::array<Stats, 1> stats_;
  App app_ = {.stage = "unit", .page = "page", .credentials = "", .stats = stats_};
  Context context_{app_, stats_[0]};
  Buffer out_{context_.pool};
  std::size_t answered_ = 0;
};

}  // namespace

TEST_F(Allocation, CountsAtAll) {
  const long before = count.calls;
  Buffer buffer(context_.pool);
  buffer.append("x");
  EXPECT_GT(count.calls, before);
}

TEST_F(Allocation, NoneForAKeepAliveRequest) {
  const auto session = make_session(kHttp, context_);
  for (const std::string_view request : {kHello, kUpper, kQuery}) {
    serve(*session, request);  // the first one fills the pool and the Date
    const long before = count.calls;
    for (int i = 0; i < 1000; ++i) serve(*session, request);
    EXPECT_EQ(count.calls, before) << request;
  }
  EXPECT_GT(answered_, 3000U * 100);
}

TEST_F(Allocation, NoneForText) {
  const auto session = make_session(kText, context_);
  serve(*session, "hello");
  const long before = count.calls;
  for (int i = 0; i < 1000; ++i) serve(*session, "hello");
  EXPECT_EQ(count.calls, before);
}

// The session itself, and nothing kept beside it.
TEST_F(Allocation, AnIdleConnectionIsOneBlock) {
  std::array<std::unique_ptr<Session>, 100> sessions;
  serve(*make_session(kHttp, context_), kHello);
  const long before = count.live;
  for (auto& session : sessions) {
    session = make_session(kHttp, context_);
    serve(*session, kHello);
  }
  EXPECT_EQ(count.live, before + 100);
}

TEST_F(Allocation, EverythingComesBack) {
  serve(*make_session(kHttp, context_), kStats);
  const long before = count.live;
  for (const std::string_view request : {kHello, kUpper, kQuery, kStats, kUpper.substr(0, 60),
                                         kHello.substr(0, 5), std::string_view("bad\r\n")}) {
    serve(*make_session(kHttp, context_), request);
  }
  const std::string large = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" +
                            std::string(1000000, 'x');
  const long with_request = count.live;
  serve(*make_session(kHttp, context_), large);
  serve(*make_session(kHttp, context_), std::string_view(large).substr(0, 500000));
  EXPECT_EQ(count.live, with_request);
  EXPECT_LE(with_request, before + 1 + 3);  // `large`; blocks that wait in the pool, and its list
}

// The body of a request that was refused before it came is dropped as it comes.
TEST_F(Allocation, ARefusedBodyIsNotKept) {
  const std::string piece(10000, 'x');
  const auto session = make_session(kHttp, context_);
  count.largest = 0;
  serve(*session,
        "POST /nothing HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        "Content-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 100; ++i) serve(*session, piece);
  EXPECT_LE(count.largest, 4 * BufferPool::kBlockSize);
  const std::size_t before = answered_;
  serve(*session, kHello);
  EXPECT_GT(answered_, before);
}

// Fails where the block grows with the body, and its pages move each time; and where it is asked
// for again, twice as large, when the first bytes of the body come.
TEST_F(Allocation, ALargeBodyHasOneBlock) {
  const std::string piece(10000, 'x');
  const auto session = make_session(kHttp, context_);
  serve(*session, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  const long before = count.calls;
  for (int i = 0; i < 99; ++i) serve(*session, piece);
  EXPECT_EQ(count.calls, before);
}

TEST_F(Allocation, ThePoolKeepsABoundedNumberOfBlocks) {
  for (const std::size_t size : {BufferPool::kSmallSize, BufferPool::kBlockSize}) {
    const std::size_t kept = (1U << 20) / size;
    std::vector<Block> blocks(2 * kept);
    for (Block& block : blocks) block = context_.pool.take(size);
    for (Block& block : blocks) context_.pool.give(std::move(block), size);
    const long before = count.calls;
    for (Block& block : blocks) block = context_.pool.take(size);
    EXPECT_EQ(count.calls - before, static_cast<long>(kept));
  }
}

// Fails where malloc keeps what was large, because it has seen more of that size freed.
TEST_F(Allocation, LargeBlocksGoStraightBack) {
  const auto is_mapping = [](std::size_t size) {  // of its own, which free() undoes
    const std::size_t before = mallinfo2().hblks;
    Block block(static_cast<char*>(__libc_malloc(size)));
    return mallinfo2().hblks == before + 1;
  };
  EXPECT_EXIT(
      {
        prepare_process();
        for (int i = 0; i < 3; ++i) {
          if (!is_mapping(1 << 24)) _exit(1);
        }
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

// Fails where a buffer that outgrows its block keeps that from the pool.
TEST_F(Allocation, AnOutgrownBlockIsUsedAgain) {
  Buffer one(context_.pool);
  one.append("x");
  one.append(std::string(BufferPool::kSmallSize, 'x'));
  const long before = count.calls;
  out_.append("y");
  EXPECT_EQ(count.calls, before);
}

// Fails where a block that there is no memory for is written to.
TEST_F(Allocation, AFailureIsThrown) {
  Buffer empty(context_.pool);
  Buffer large(context_.pool);
  large.append(std::string(2 * BufferPool::kBlockSize, 'x'));
  count.most = 1 << 20;
  EXPECT_THROW(empty.room(2 << 20), std::bad_alloc);
  EXPECT_THROW(large.room(2 << 20), std::bad_alloc);
  count.most = SIZE_MAX;
}
