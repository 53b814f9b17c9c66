#include "common/heap_trim.h"

#include <malloc.h>

#include <algorithm>

void HeapTrim::after_batch(std::uint64_t open) {
  constexpr std::uint64_t kFew = 64;
  most_ = std::max(most_, open);
  const bool half_left = most_ >= 2 * kFew && open <= most_ / 2;
  // Once more a batch later: libevent frees a bufferevent in the turn after the one that let it go.
  if (half_left || trimmed_) malloc_trim(0);
  if (half_left) most_ = open;
  trimmed_ = half_left;
}
