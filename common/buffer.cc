#include "common/buffer.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace {

Block allocate(std::size_t size) {
  Block block(static_cast<char*>(std::malloc(size)));
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace

Block BufferPool::take(std::size_t size) {
  std::vector<Block>& blocks = spare(size);
  if (blocks.empty()) return allocate(size);
  Block block = std::move(blocks.back());
  blocks.pop_back();
  return block;
}

void BufferPool::give(Block block, std::size_t size) {
  std::vector<Block>& blocks = spare(size);
  if (blocks.size() * size < kSpareBytes) blocks.push_back(std::move(block));
}

void Buffer::make_room(std::size_t least) {
  const std::size_t needed = size() + least;
  if (needed <= BufferPool::kBlockSize) {
    move_to(needed <= BufferPool::kSmallSize ? BufferPool::kSmallSize : BufferPool::kBlockSize);
  } else if (needed > capacity_) {
    // Doubling keeps appending linear; an exact first size keeps a large answer from costing twice.
    move_to(std::max(needed, empty() ? needed : 2 * std::size_t{capacity_}));
  } else {
    move_to(capacity_);
  }
}

// The bytes, in a block of that capacity, from its start.
void Buffer::move_to(std::size_t capacity) {
  const std::size_t count = size();
  if (capacity_ == 0 && BufferPool::has(capacity)) {
    block_ = pool_->take(capacity);  // by far the most frequent: a message begins
  } else if (capacity == capacity_) {
    std::memmove(block_.get(), block_.get() + begin_, count);
  } else if (capacity > capacity_ && begin_ == 0 && capacity_ > BufferPool::kBlockSize) {
    // A large block is a mapping of its own in glibc: realloc moves its pages (mremap(2)), not its
    // bytes, and leaves untouched pages untouched.
    char* grown = static_cast<char*>(std::realloc(block_.release(), capacity));
    if (grown == nullptr) throw std::bad_alloc();
    block_.reset(grown);
  } else {
    Block fresh = BufferPool::has(capacity) ? pool_->take(capacity) : allocate(capacity);
    if (count != 0) std::memcpy(fresh.get(), block_.get() + begin_, count);
    clear();
    block_ = std::move(fresh);
  }
  capacity_ = static_cast<std::uint32_t>(capacity);
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(count);
}

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

void Buffer::consume(std::size_t count) {
  begin_ += static_cast<std::uint32_t>(count);
  if (empty()) {
    clear();
  } else if (capacity_ > BufferPool::kBlockSize && size() <= BufferPool::kBlockSize) {
    Buffer smaller(*pool_);  // a megabyte is not kept for the few bytes behind a message
    smaller.append(view());
    swap(smaller);
  }
}

void Buffer::erase(std::size_t from, std::size_t count) {
  if (count == 0) return;
  char* gap = block_.get() + begin_ + from;
  std::memmove(gap, gap + count, size() - from - count);
  end_ -= static_cast<std::uint32_t>(count);
  if (empty()) clear();
}

void Buffer::clear() {
  if (BufferPool::has(capacity_)) pool_->give(std::move(block_), capacity_);
  block_.reset();
  capacity_ = begin_ = end_ = 0;
}

void Buffer::swap(Buffer& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(block_, other.block_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
}
