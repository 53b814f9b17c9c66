#pragma once
// The counters behind GET /stats. Each loop has its own and is the only one to write them; any loop
// may read all of them, which is why they are atomic and why relaxed order is enough.

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

class Counter {
 public:
  // Load and store, not fetch_add: with a single writer nothing can come in between, and a locked
  // instruction per request would be the dearest one of the whole path.
  void add(std::uint64_t n) { set(get() + n); }
  void subtract(std::uint64_t n) { set(get() - n); }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct alignas(64) Stats {  // a cache line per loop: a neighbour's counting must not slow this one
  Counter accepted;
  Counter open;
  Counter requests;  // HTTP requests answered
  Counter bytes_in;
  Counter bytes_out;
  Counter wake_ups;  // how often the loop came back from waiting
};

// What a stage knows besides, for GET /stats: a number of bytes, all loops together, which is shown
// per connection, too. Nothing: not counted today.
struct Gauge {
  std::string_view name;
  std::optional<std::uint64_t> (*read)();
};

using StatsField = Counter Stats::*;

inline std::uint64_t sum(std::span<const Stats> loops, StatsField counter) {
  std::uint64_t total = 0;
  for (const Stats& loop : loops) total += (loop.*counter).get();
  return total;
}
