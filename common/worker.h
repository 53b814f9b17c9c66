#pragma once
// What one loop has, whatever its mechanism. Touched by its own thread only, but for the requests
// to stop that another loop passes on.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>

#include "common/admission.h"
#include "common/clock.h"
#include "common/context.h"
#include "common/options.h"
#include "common/session.h"
#include "common/socket.h"

class Worker {
 public:
  // `index`: of the process's loops, from 0. It has its share of --max-connections.
  Worker(const App& app, Stats& counters, const Options& flags, std::uint64_t index);

  const Options& options;
  Context context;
  Stats& stats;
  Clock::time_point now = Clock::now();  // of this batch
  Admission admission;

  // The loop is back from waiting: counts that, and reads the clock for this batch of events.
  void wake_up();
  // For a loop that is not told when the waiting is over: each callback begins with this.
  void read_clock() { now = Clock::now(); }

  // A listening socket for the loop to own: each loop has its own duplicate.
  void listens_on(Protocol protocol, UniqueFd listener) {
    listeners_[protocol] = std::move(listener);
  }
  UniqueFd take_listener(Protocol protocol) { return std::move(listeners_[protocol]); }

  // The loops are told to stop through descriptors: a signalfd, which only the first loop has (and
  // not if libevent handles the signals there), an eventfd in the others.
  void stops_by(UniqueFd descriptor) { stop_ = std::move(descriptor); }
  void passes_stops_to(std::span<const std::unique_ptr<Worker>> all) { all_ = all; }
  UniqueFd stop_descriptor() const;
  // How many requests to stop have come, at least one: for whoever was told that there are some.
  int read_stop_requests();
  // Begins the drain, or ends it (Admission::stop). The first loop, which alone hears of a signal,
  // tells the others.
  void stop_all_loops(int requests);

  // The server drains, and of this client nothing is left in the kernel: what is answered now is
  // its last answer (Session::advance, `last`).
  bool is_drained(int fd) const { return admission.draining() && bytes_waiting(fd) == 0; }

  // For a loop that computes its own deadline: prints the --heartbeat's line if it is due, and says
  // when the admission or the heartbeat has something to do next.
  Clock::time_point next_deadline();
  // For a loop that has timers: how often the heart beats (0: never), and what to do then.
  std::chrono::microseconds heartbeat_interval() const;
  void print_stats() const;

 private:
  bool is_first() const { return !all_.empty(); }

  std::array<UniqueFd, 2> listeners_;
  UniqueFd stop_;
  Clock::time_point next_beat_ = {};
  std::span<const std::unique_ptr<Worker>> all_;
};
