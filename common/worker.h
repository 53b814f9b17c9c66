#pragma once
// Everything around a loop: one process, N workers, each with a loop of its own.
//
// serve() does what every stage's main() would have to do: flags, signals, descriptors, listening
// sockets, threads. The stage brings `run`, its loop, which each worker calls once.

#include <malloc.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>

#include "common/context.h"
#include "common/deadline.h"
#include "common/options.h"
#include "common/session.h"
#include "common/socket.h"

enum class Signals : std::uint8_t { signalfd, by_stage };

// What one loop has. Touched by its own thread only, but for its stop requests.
class Worker {
 public:
  Worker(const App& app, Stats& counters, const Options& flags, std::uint64_t index);

  const Options& options;
  Context context;
  Stats& stats;

  // Listening sockets: duplicates, so that each loop can close its own.
  std::array<UniqueFd, 2> listeners;
  // Readable when the process is asked to stop: a signalfd in the first worker, an eventfd in the
  // others. None in the first one if the stage lets libevent have the signals.
  UniqueFd stop_descriptor() const;

  // Set by the stage when it begins to drain. From then on what is answered while no byte waits in
  // the kernel is a connection's last answer.
  bool draining = false;
  bool is_last_call(int fd) const { return draining && bytes_waiting(fd) == 0; }

  // No more clients for now: this loop's share of --max-connections is used up. Not when it drains:
  // who waits in the accept queue then has no later, and there is an end to the queue.
  bool full() const { return !draining && stats.open.get() >= share_; }

  // --heartbeat, of the first worker. For a loop that computes its own deadline: prints the line if
  // it is due, and says when the next one is.
  Clock::time_point heartbeat();
  // For a loop that has timers: how often (0: never), and what to do then.
  std::chrono::microseconds heartbeat_interval() const;
  void print_stats() const;

  // How often the process was asked to stop since the last call, at least once. The first worker
  // passes it on to the others.
  int take_stop_requests();

  // For the stage that gets the stop signals as signals: lets them in, once it can handle them.
  static void unblock_stop_signals();

  // The loop is back from waiting: counts that, and reads the clock for this batch of events.
  void wake_up() {
    stats.wake_ups.add(1);
    now = Clock::now();
    if (std::exchange(context.trim_again, false)) malloc_trim(0);
  }
  Clock::time_point now = Clock::now();

 private:
  friend int serve(int, char**, const Stage&, Signals, void (*)(Worker&));
  UniqueFd stop_;
  std::uint64_t share_;
  Clock::time_point next_beat_ = {};
  std::span<const std::unique_ptr<Worker>> peers_;
};

// What the loops agree on.
constexpr int kAcceptsPerEvent = 64;  // then the others have their turn
constexpr auto kStarved =
    std::chrono::milliseconds(100);                // out of descriptors: do not accept so long
constexpr auto kLinger = std::chrono::seconds(1);  // after the last word: discard so long
constexpr auto kLastLook =
    std::chrono::milliseconds(750);  // for what came in time: enough to read and answer thousands

// Runs `run` in --threads workers until all return. The exit status of the process.
int serve(int argc, char** argv, const Stage& stage, Signals signals, void (*run)(Worker&));

// One line on stdout or stderr; dropped where that is a full pipe, because printing must not block
// a loop.
void print_line(int fd, const std::string& line);
