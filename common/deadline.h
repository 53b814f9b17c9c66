#pragma once
// Deadlines without a search. Where each member of a list has the same time-out, and whoever starts
// its clock anew goes to the end of the list, the first one is always the first to be due.

#include <algorithm>
#include <chrono>
#include <list>

#include "common/context.h"

constexpr Clock::time_point kNever = Clock::time_point::max();

template <typename Member>
struct DeadlineList : std::list<Member> {
  std::chrono::microseconds timeout = {};
};

// When the first member's time is up. O(1), whatever the length of the list.
template <typename Member>
Clock::time_point due(const DeadlineList<Member>& list) {
  return list.empty() ? kNever : list.front().since + list.timeout;
}

// Milliseconds for epoll_wait, rounded up so that it never wakes before the deadline; -1: for ever.
inline int milliseconds_until(Clock::time_point deadline, Clock::time_point now) {
  if (deadline == kNever) return -1;
  constexpr std::chrono::milliseconds kLongest =
      std::chrono::hours(24);  // it asks again after that
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kLongest).count());
}
