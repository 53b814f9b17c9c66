#pragma once
// What sessions share. App: one per process, read-only once the loops run. Context: one per loop,
// touched by that loop's thread only.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/date.h"
#include "common/stats.h"

enum Protocol : std::size_t { kText, kHttp };  // unscoped: an index into what there is one of each

struct App {
  std::string stage;        // "01_plain_epoll": named by GET / and /stats only
  std::string page;         // GET /
  std::string credentials;  // base64 of USER:PASSWORD; empty: everyone may
  std::uint32_t max_body = 1048576;
  bool text_upper = true;
  Clock::time_point started = Clock::now();
  std::span<const Stats> stats;  // of all loops
  std::span<const Gauge> gauges = {};
};

struct Context {
  const App& app;
  Stats& stats;
  BufferPool pool = {};
  Date date = {};
  std::string scratch = {};  // a body that had to be made; valid until this loop's next request
};
