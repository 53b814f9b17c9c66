#include "common/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "common/process.h"

Worker::Worker(const App& app, Stats& counters, const Options& flags, std::uint64_t index)
    : options(flags),
      context{app, counters},
      stats(counters),
      admission(counters,
                flags.max_connections / flags.threads +
                    (index < flags.max_connections % flags.threads ? 1 : 0),
                flags.grace, now) {}

void Worker::wake_up() {
  stats.wake_ups.add(1);
  read_clock();
}

UniqueFd Worker::stop_descriptor() const { return stop_ ? duplicate(stop_) : UniqueFd(); }

int Worker::read_stop_requests() {
  eventfd_t requests = 0;
  if (is_first() && stop_) {
    requests = static_cast<eventfd_t>(read_stop_signals(stop_.get()));
  } else if (stop_) {
    eventfd_read(stop_.get(), &requests);
  }
  return std::max(static_cast<int>(requests), 1);
}

void Worker::stop_all_loops(int requests) {
  admission.stop(requests);
  for (const auto& other : all_) {
    if (other.get() != this) eventfd_write(other->stop_.get(), static_cast<eventfd_t>(requests));
  }
}

std::chrono::microseconds Worker::heartbeat_interval() const {
  return is_first() ? options.heartbeat : std::chrono::microseconds(0);
}

Clock::time_point Worker::next_deadline() {
  const auto interval = heartbeat_interval();
  if (interval.count() == 0) return admission.next_deadline();
  if (next_beat_ <= now) {
    if (next_beat_ != Clock::time_point()) print_stats();
    next_beat_ = now + interval;
  }
  return std::min(next_beat_, admission.next_deadline());
}

void Worker::print_stats() const {
  const auto total = [this](StatsField counter) {
    return std::to_string(sum(context.app.stats, counter));
  };
  print_line(STDOUT_FILENO, "heartbeat: open " + total(&Stats::open) + ", accepted " +
                                total(&Stats::accepted) + ", requests " + total(&Stats::requests) +
                                ", bytes in " + total(&Stats::bytes_in) + ", bytes out " +
                                total(&Stats::bytes_out) + ", wake-ups " + total(&Stats::wake_ups));
}
