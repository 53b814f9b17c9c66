#include "common/admission.h"

#include <utility>

Admission::Admission(Stats& stats, std::uint64_t max_open, std::chrono::microseconds grace,
                     const Clock::time_point& now)
    : stats_(stats), now_(now), max_open_(max_open), grace_(grace) {}

UniqueFd Admission::accept(int listener) {
  if (!may_accept()) return {};
  Accepted next = accept_client(listener);
  if (next.result == AcceptResult::no_room) pause();
  if (next.result == AcceptResult::client) entered();
  return std::move(next.fd);
}

void Admission::entered() {
  stats_.accepted.add(1);
  stats_.open.add(1);
}

void Admission::left(std::size_t count) {
  stats_.open.subtract(count);
  if (count != 0 || paused_until_ <= now_) paused_until_ = kNever;
  heap_.after_batch(stats_.open.get());
}

void Admission::stop(int requests) {
  stopped_twice_ = requests > 1 || draining_;
  draining_ = true;
  grace_end_ = now_ + grace_;
}
