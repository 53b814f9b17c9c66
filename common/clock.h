#pragma once
// The clock of all deadlines: monotonic (clock_gettime(2), CLOCK_MONOTONIC), so that setting the
// time of day moves no time-out. A loop reads it once per batch, between waiting and handling: read
// after the handlers, it would charge a fresh client for the time that the others took.

#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

using Clock = std::chrono::steady_clock;

constexpr Clock::time_point kNever = Clock::time_point::max();

// Milliseconds for epoll_wait(2), rounded up so that it never wakes before the deadline; -1: for
// ever.
inline int milliseconds_until(Clock::time_point deadline, Clock::time_point now) {
  if (deadline == kNever) return -1;
  constexpr std::chrono::milliseconds kLongest =
      std::chrono::hours(24);  // it asks again after that
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kLongest).count());
}

inline timeval to_timeval(std::chrono::microseconds duration) {
  constexpr std::int64_t kSecond = 1'000'000;
  return {.tv_sec = static_cast<time_t>(duration.count() / kSecond),
          .tv_usec = static_cast<suseconds_t>(duration.count() % kSecond)};
}
