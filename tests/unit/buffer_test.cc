// Buffer: the bytes are right wherever they move, and memory goes back as soon as it is not needed.

#include "common/buffer.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "tests/unit/support.h"

namespace {

constexpr std::size_t kBlock = BufferPool::kBlockSize;

// An empty Buffer owns no block.
bool owns_nothing(const Buffer& buffer) { return buffer.view().data() == nullptr; }

}  // namespace

TEST(Buffer, AppendsConsumesErases) {
  BufferPool pool;
  Buffer buffer(pool);
  EXPECT_TRUE(owns_nothing(buffer));
  buffer.append("hello, ");
  buffer.append("");
  buffer.append("world");
  EXPECT_EQ(buffer.view(), "hello, world");
  buffer.consume(2);
  EXPECT_EQ(buffer.view(), "llo, world");
  buffer.erase(3, 2);
  EXPECT_EQ(buffer.view(), "lloworld");
  buffer.erase(0, 3);
  EXPECT_EQ(buffer.view(), "world");
  buffer.erase(4, 1);
  EXPECT_EQ(buffer.view(), "worl");
  buffer.erase(2, 0);
  EXPECT_EQ(buffer.view(), "worl");
  buffer.bytes()[0] = 'W';
  EXPECT_EQ(buffer.view(), "Worl");
}

TEST(Buffer, EmptyMeansNoMemory) {
  BufferPool pool;
  Buffer buffer(pool);
  for (const std::size_t size : {std::size_t{1}, kBlock, kBlock + 1, 10 * kBlock}) {
    const std::string bytes(size, 'x');
    buffer.append(bytes);
    buffer.consume(size);
    EXPECT_TRUE(owns_nothing(buffer)) << size;
    buffer.append(bytes);
    buffer.erase(0, size);
    EXPECT_TRUE(owns_nothing(buffer)) << size;
    buffer.append(bytes);
    buffer.clear();
    EXPECT_TRUE(owns_nothing(buffer)) << size;
  }
}

TEST(Buffer, RoomIsAtLeastWhatWasAsked) {
  BufferPool pool;
  Buffer buffer(pool);
  for (const std::size_t least :
       {std::size_t{1}, std::size_t{4096}, kBlock - 1, kBlock, kBlock + 1}) {
    EXPECT_GE(buffer.room(least).size(), least);
    EXPECT_TRUE(buffer.empty());  // nothing counts before commit()
    buffer.clear();
  }
}

// Fails where a large block that grows takes along what was consumed, and not what was not.
TEST(Buffer, GrowsBehindWhatWasConsumed) {
  BufferPool pool;
  const std::string bytes = std::string(2 * kBlock, 'a') + std::string(2 * kBlock, 'b');
  for (const std::size_t consumed : {std::size_t{1}, kBlock}) {
    Buffer buffer(pool);
    buffer.append(bytes);
    buffer.consume(consumed);
    buffer.append(bytes);
    EXPECT_EQ(buffer.view(), bytes.substr(consumed) + bytes);
  }
}

// Consuming from the front makes room at the front: the block is used again, not a larger one.
TEST(Buffer, CompactsInPlace) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append(std::string(kBlock - 10, 'a') + "0123456789");
  const char* block = buffer.view().data();
  buffer.consume(kBlock - 10);
  EXPECT_GE(buffer.room(1000).size(), 1000U);
  EXPECT_EQ(buffer.view(), "0123456789");
  EXPECT_EQ(buffer.view().data(), block);

  Buffer large(pool);
  large.append(std::string(40000, 'x'));
  const char* begin = large.view().data();
  large.consume(100);
  EXPECT_EQ(large.room(100).size(), 100U) << "as much as there was in front";
  EXPECT_EQ(large.view().data(), begin);
}

TEST(Buffer, GrowsAndShrinksWithItsBytes) {
  BufferPool pool;
  Buffer buffer(pool);
  std::string expected;
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    const auto pick = [&random](std::size_t most) {
      return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    const std::size_t size = pick(i % 100 == 0 ? 5 * kBlock : 500);
    switch (pick(3)) {
      case 0:
      case 1: {
        const std::string bytes(size, static_cast<char>('a' + i % 26));
        buffer.append(bytes);
        expected += bytes;
        break;
      }
      case 2: {
        const std::size_t count = pick(expected.size());
        buffer.consume(count);
        expected.erase(0, count);
        break;
      }
      default: {
        const std::size_t from = pick(expected.size());
        const std::size_t count = pick(expected.size() - from);
        buffer.erase(from, count);
        expected.erase(from, count);
        break;
      }
    }
    ASSERT_EQ(buffer.view(), expected) << "after step " << i;
    ASSERT_EQ(buffer.empty(), owns_nothing(buffer));
  }
}

TEST(Buffer, Swaps) {
  BufferPool pool;
  Buffer one(pool);
  Buffer two(pool);
  one.append("one");
  one.swap(two);
  EXPECT_TRUE(owns_nothing(one));
  EXPECT_EQ(two.view(), "one");
}

TEST(BufferPool, UsesABlockAgain) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("x");
  const char* block = buffer.view().data();
  buffer.clear();
  Buffer next(pool);
  next.append("y");
  EXPECT_EQ(next.view().data(), block);
}

// Fails where the list of spare blocks loses one, hands one out twice, or counts wrong.
TEST(BufferPool, HandsOutEachSpareBlockOnce) {
  BufferPool pool;
  for (const std::size_t size : {BufferPool::kSmallSize, BufferPool::kBlockSize}) {
    std::vector<Block> blocks(10);
    std::set<const char*> first;
    for (int round = 0; round < 3; ++round) {
      std::set<const char*> taken;
      for (Block& block : blocks) {
        block = pool.take(size);
        taken.insert(block.get());
        std::memset(block.get(), 0xff, size);  // a user writes where the list stood
      }
      if (round == 0) first = taken;
      EXPECT_EQ(taken, first);
      EXPECT_EQ(taken.size(), blocks.size());
      std::ranges::rotate(blocks, blocks.begin() + 3);
      for (Block& block : blocks) pool.give(std::move(block), size);
    }
  }
}

// A block of another size must never be handed out as one of the usual size: the next user would
// write past its end (which ASan sees here).
TEST(BufferPool, KeepsNoLargeBlocks) {
  BufferPool pool;
  for (const std::size_t size : {kBlock + 1, 2 * kBlock, 100 * kBlock}) {
    Buffer large(pool);
    large.append(std::string(size, 'x'));
    const char* block = large.view().data();
    large.clear();
    Buffer next(pool);
    const std::span<char> room = next.room(kBlock);
    std::fill(room.begin(), room.end(), 'y');
    EXPECT_TRUE(room.size() == kBlock || room.data() != block);
  }
}

// A pipelined megabyte must not find room behind the one before it: that would be two of them.
TEST(Buffer, DoesNotKeepALargeBlockForAFewBytes) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append(std::string(100 * kBlock, 'x') + "rest");
  buffer.consume(100 * kBlock);
  EXPECT_EQ(buffer.view(), "rest");
  EXPECT_EQ(buffer.room(0).size(), 512U - 4U) << "at once, not when more comes";

  for (const std::size_t rest : {kBlock, kBlock + 1}) {
    Buffer other(pool);
    other.append(std::string(100 * kBlock, 'x'));
    const char* block = other.view().data();
    other.consume(100 * kBlock - rest);
    EXPECT_EQ(other.view().data() == block + 100 * kBlock - rest, rest > kBlock) << rest;
  }
}

// Fails where a class of sizes is off by one, or a known size costs more than that.
TEST(Buffer, TakesTheSmallestBlockThatHoldsIt) {
  for (const auto& [bytes, block] : {std::pair<std::size_t, std::size_t>(1, 512),
                                     {512, 512},
                                     {513, 16384},
                                     {16384, 16384},
                                     {16385, 16385}}) {
    BufferPool pool;
    Buffer buffer(pool);
    EXPECT_EQ(buffer.room(bytes).size(), block);
  }
}

// Fails where what just fits, once the rest has moved to the front, gets a large block.
TEST(Buffer, FillsASmallBlockBeforeItTakesALargeOne) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("0123456789");
  buffer.consume(9);
  EXPECT_EQ(buffer.room(BufferPool::kSmallSize - 1).size(), BufferPool::kSmallSize - 1);
  EXPECT_EQ(buffer.view(), "9");
}

// Fails where each append to a large buffer moves all of it.
TEST(Buffer, DoublesWhenItGrows) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append(std::string(20000, 'x'));
  EXPECT_EQ(buffer.room(0).size(), 0U);
  buffer.append("y");
  EXPECT_EQ(buffer.room(0).size(), 40000U - 20001U);
  buffer.append(std::string(100000, 'z'));
  EXPECT_EQ(buffer.room(0).size(), 0U) << "more than twice as much is taken exactly";
}
