#pragma once
// What sessions share. App: one per process, read-only once the loops run. Context: one per loop,
// touched by that loop's thread only.

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/buffer.h"
#include "common/stats.h"

using Clock = std::chrono::steady_clock;

enum Protocol : std::size_t { kText, kHttp };  // unscoped: an index into what there is one per port

struct App {
  std::string stage;        // "01_plain_epoll": named by GET / and /stats only
  std::string page;         // GET /
  std::string credentials;  // base64 of USER:PASSWORD; empty: everyone may
  std::uint32_t max_body = 1048576;
  bool text_upper = true;
  Clock::time_point started = Clock::now();
  std::span<const Stats> stats;                 // of all loops
  std::uint64_t (*libevent_bytes)() = nullptr;  // null: not counted
};

// The Date field line, formatted once a second (RFC 9110, section 6.6.1).
class Date {
 public:
  std::string_view line();

 private:
  std::time_t second_ = -1;
  std::array<char, 40> text_{};
};

struct Context {
  const App& app;
  Stats& stats;
  BufferPool pool = {};
  Date date = {};
  std::uint64_t trim_at = 0;  // open connections at which malloc is told to give pages back
  bool trim_again = false;    // a library may free one turn later what the loop let go of
  std::string scratch =
      {};  // a body that had to be made; valid until the next request of this loop
};
