#pragma once
// After a storm of clients malloc holds on to pages that are free but not at its heap's end. It is
// told to give them back (malloc_trim(3)) each time half of the clients are gone: a cost that each
// of them shares, O(1), and never paid for a few.

#include <cstdint>

class HeapTrim {
 public:
  // `open`: connections, after a batch.
  void after_batch(std::uint64_t open);

 private:
  std::uint64_t most_ = 0;  // open at once since the last trim
  bool trimmed_ = false;    // in the last batch
};
