#pragma once
// Bytes that wait: for a parser that needs more of them, or for a kernel that will not take them
// yet.
//
//        begin          end         capacity
//   ......|..bytes......|....room.....|
//
// An empty Buffer owns no memory, so an idle connection costs two empty Buffers and nothing else.
// Blocks of the usual sizes go back to the loop's BufferPool; larger ones go back to malloc at
// once.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

struct FreeBlock {
  void operator()(char* block) const { std::free(block); }
};
using Block = std::unique_ptr<char, FreeBlock>;

// Blocks of one size that wait to be used again. Each holds the next one in its own first bytes:
// the list needs no memory of its own, and a block that comes or goes costs a few instructions. The
// block used last goes first: it is the one that the CPU's caches most likely still hold.
class SpareBlocks {
 public:
  SpareBlocks() = default;
  SpareBlocks(const SpareBlocks&) = delete;
  SpareBlocks& operator=(const SpareBlocks&) = delete;
  ~SpareBlocks() {
    while (pop()) continue;
  }

  std::size_t count() const { return count_; }
  void push(Block block) {
    first_ = std::construct_at(reinterpret_cast<Spare*>(block.release()), Spare{first_});
    ++count_;
  }
  Block pop() {  // nothing if none waits
    if (first_ == nullptr) return nullptr;
    --count_;
    return Block(reinterpret_cast<char*>(std::exchange(first_, first_->next)));
  }

 private:
  struct Spare {
    Spare* next;
  };
  Spare* first_ = nullptr;
  std::size_t count_ = 0;
};

// The spare blocks of one loop, of two sizes. Not shared between threads. Must outlive its Buffers.
class BufferPool {
 public:
  static constexpr std::size_t kSmallSize = 512;        // an answer: thousands may wait to be sent
  static constexpr std::size_t kBlockSize = 16 * 1024;  // what is read at once, and much output
  static constexpr std::size_t kSpareBytes = 1024 * 1024;  // of each size; the rest goes to malloc

  // Of any size: others than the two come from malloc, and go back to it.
  Block take(std::size_t size) {
    Block block = has(size) ? take_spare(size) : nullptr;
    return block ? std::move(block) : allocate(size);
  }
  // Of one of the two; nothing if none waits.
  Block take_spare(std::size_t size) { return spare(size).pop(); }
  void give(Block&& block, std::size_t size) {
    SpareBlocks& blocks = spare(size);
    if (!has(size) || blocks.count() * size >= kSpareBytes) return block.reset();
    blocks.push(std::move(block));
  }

 private:
  static constexpr bool has(std::size_t size) { return size == kSmallSize || size == kBlockSize; }
  static Block allocate(std::size_t size);
  SpareBlocks& spare(std::size_t size) { return size == kSmallSize ? small_ : large_; }

  SpareBlocks small_, large_;
};

class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(&pool) {}
  Buffer(Buffer&& other) noexcept : pool_(other.pool_) { swap(other); }
  ~Buffer() { clear(); }

  std::string_view view() const { return {block_.get() + begin_, size()}; }
  std::span<char> bytes() { return {block_.get() + begin_, size()}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Free space behind the bytes, at least `least` of it. What is written there counts after
  // commit(). Invalidates views: the bytes may move.
  std::span<char> room(std::size_t least) {
    if (capacity_ - end_ < least) [[likely]]
      make_room(least);
    return {block_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t count) { end_ += static_cast<std::uint32_t>(count); }
  void append(std::string_view bytes);

  void consume(std::size_t count) {  // from the front
    begin_ += static_cast<std::uint32_t>(count);
    if (empty()) {
      clear();
    } else if (capacity_ > BufferPool::kBlockSize) {
      shrink();
    }
  }
  void erase(std::size_t from, std::size_t count);  // from the middle: the tail moves down
  void clear() {
    if (block_) give_back();
  }
  void swap(Buffer& other) noexcept;

 private:
  void make_room(std::size_t least);
  void make_more_room(std::size_t least);
  void grow(std::size_t needed);
  void move_to(std::size_t capacity);
  void shrink();
  void give_back();

  BufferPool* pool_;
  Block block_;
  std::uint32_t capacity_ = 0;  // 32 bits: --max-body keeps a message far below 4 GiB
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};
