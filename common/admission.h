#pragma once
// Who may come in, and when the loop ends. One per loop.
//
//              stop()                nobody is left, or the grace is over, or stop() again
//   serving  --------->  draining  --------------------------------------------------->  over
//
// While it serves, accepting pauses as long as `max_open` clients are connected, and for a moment
// when the process has no descriptor left. Whoever is not accepted waits in the kernel's backlog.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "common/heap_trim.h"
#include "common/socket.h"
#include "common/stats.h"

// Per event of a listener; then the connected clients have their turn.
constexpr int kAcceptsPerEvent = 64;
// Out of descriptors, and nobody leaves: how long until accepting is tried again. Trying at once
// would only spin, because the listener stays readable.
constexpr std::chrono::milliseconds kStarvedPause(100);

class Admission {
 public:
  // `max_open`: clients connected at once. `grace`: how long a drain may last. `now`: the loop's
  // clock.
  Admission(Stats& stats, std::uint64_t max_open, std::chrono::microseconds grace,
            const Clock::time_point& now);

  // Is the listener to be watched? Not while accepting pauses, and not in a drain.
  bool accepting() const { return !draining_ && may_accept(); }

  // The next client of the accept queue, counted and within all limits; none: no more for now. In a
  // drain, too, until the listener is closed: who had connected before it is still let in.
  UniqueFd accept(int listener);
  // For a library that accepts by itself: count this one; pause, because it could not.
  void entered();
  void pause() { paused_until_ = now_ + kStarvedPause; }

  // After each batch: so many have left since the last one. That, or time, ends a pause.
  void left(std::size_t count);

  // So many requests to stop have come (at least one). The first one drains, the second one ends.
  void stop(int requests);
  bool draining() const { return draining_; }
  // The loop may end: all have left, or it is cut short, by a second stop or the end of the grace.
  bool over() const { return cut_short() || (draining_ && stats_.open.get() == 0); }
  bool cut_short() const { return stopped_twice_ || grace_end_ <= now_; }

  // When left() is to be called although nothing happens; kNever: need not be.
  Clock::time_point next_deadline() const { return std::min(paused_until_, grace_end_); }

  bool paused() const { return paused_until_ != kNever; }

 private:
  // A drain has no limit but the queue's end: who waits there has no later.
  bool may_accept() const {
    if (draining_) return !stopped_twice_;
    return !paused() && stats_.open.get() < max_open_;
  }

  Stats& stats_;
  const Clock::time_point& now_;
  HeapTrim heap_;
  std::uint64_t max_open_;
  std::chrono::microseconds grace_;
  Clock::time_point paused_until_ = kNever;
  Clock::time_point grace_end_ = kNever;
  bool draining_ = false;
  bool stopped_twice_ = false;
};
