#include "common/buffer.h"

#include <algorithm>
#include <cstring>

Block BufferPool::allocate(std::size_t size) {
  Block block(static_cast<char*>(std::malloc(size)));
  if (!block) throw std::bad_alloc();
  return block;
}

// By far the most frequent: a message begins, and a spare block waits for it.
void Buffer::make_room(std::size_t least) {
  if (block_ || least > BufferPool::kBlockSize) return make_more_room(least);
  const std::size_t usual =
      least <= BufferPool::kSmallSize ? BufferPool::kSmallSize : BufferPool::kBlockSize;
  block_ = pool_->take_spare(usual);
  if (!block_) return make_more_room(least);
  capacity_ = static_cast<std::uint32_t>(usual);
}

void Buffer::make_more_room(std::size_t least) {
  const std::size_t needed = size() + least;
  if (needed > BufferPool::kBlockSize) return grow(needed);
  move_to(needed <= BufferPool::kSmallSize ? BufferPool::kSmallSize : BufferPool::kBlockSize);
}

// Doubling keeps appending linear; an exact first size keeps a large answer from costing twice.
void Buffer::grow(std::size_t needed) {
  if (needed <= capacity_) return move_to(capacity_);
  move_to(std::max(needed, empty() ? needed : 2 * std::size_t{capacity_}));
}

// The bytes, in a block of that capacity, from its start.
void Buffer::move_to(std::size_t capacity) {
  const std::size_t count = size();
  if (capacity == capacity_) {
    std::memmove(block_.get(), block_.get() + begin_, count);
  } else if (begin_ == 0 && capacity_ > BufferPool::kBlockSize) {
    // A large block is a mapping of its own in glibc: realloc moves its pages (mremap(2)), not its
    // bytes, and leaves untouched pages untouched.
    char* grown = static_cast<char*>(std::realloc(block_.release(), capacity));
    if (grown == nullptr) throw std::bad_alloc();
    block_.reset(grown);
    capacity_ = static_cast<std::uint32_t>(capacity);
  } else {
    Buffer fresh(*pool_);
    fresh.block_ = pool_->take(capacity);
    fresh.capacity_ = static_cast<std::uint32_t>(capacity);
    fresh.append(view());
    swap(fresh);
  }
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(count);
}

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

// A megabyte is not kept for the few bytes behind a message.
void Buffer::shrink() {
  if (size() > BufferPool::kBlockSize) return;
  Buffer smaller(*pool_);
  smaller.append(view());
  swap(smaller);
}

void Buffer::erase(std::size_t from, std::size_t count) {
  if (count == 0) return;
  char* gap = block_.get() + begin_ + from;
  std::memmove(gap, gap + count, size() - from - count);
  end_ -= static_cast<std::uint32_t>(count);
  if (empty()) clear();
}

void Buffer::give_back() {
  const std::size_t size = std::exchange(capacity_, 0);
  begin_ = end_ = 0;
  pool_->give(std::move(block_), size);
}

void Buffer::swap(Buffer& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(block_, other.block_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
}
