#pragma once
// What several test files share: a loop without a loop, ways to cut bytes, and a short notation for
// answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/session.h"

// What a stage has around its sessions, without its loop.
struct Lab {
  Lab() {
    app.stage = "unit";
    app.page = "<p>page</p>";
    app.stats = stats;
  }
  App app;
  std::array<Stats, 1> stats;
  Context context{app, stats[0]};
};

// The counters of all loops: 1, 10, 100 and so on, so that each sum of them says of which it is.
void number_counters(std::span<Stats> loops);

// Where to cut `size` bytes into pieces: ascending positions, size itself last.
using Cuts = std::vector<std::size_t>;

inline Cuts whole(std::size_t size) { return {size}; }

inline Cuts byte_by_byte(std::size_t size) {
  Cuts cuts;
  for (std::size_t at = 1; at <= size; ++at) cuts.push_back(at);
  return cuts;
}

// Every way to cut in two. Of long inputs (their middle is filler) only both ends and samples.
inline std::vector<Cuts> every_split(std::size_t size) {
  constexpr std::size_t kEnd = 300;
  std::vector<Cuts> all;
  for (std::size_t at = 1; at < size; ++at) {
    const bool filler = size > 4 * kEnd && at > kEnd && at < size - kEnd;
    if (!filler || at % 211 == 0) all.push_back({at, size});
  }
  return all;
}

inline Cuts random_cuts(std::size_t size, std::mt19937& random) {
  const std::size_t longest = std::uniform_int_distribution<std::size_t>(1, 60)(random);
  Cuts cuts;
  for (std::size_t at = 0; at < size;) {
    at += std::uniform_int_distribution<std::size_t>(1, longest)(random);
    cuts.push_back(std::min(at, size));
  }
  return cuts;
}

inline std::vector<Cuts> all_cuts(std::size_t size) {
  std::vector<Cuts> all = every_split(size);
  all.push_back(whole(size));
  all.push_back(byte_by_byte(size));
  return all;
}

inline std::string to_string(const Cuts& cuts) {
  if (cuts.size() > 2) return std::to_string(cuts.size()) + " pieces";
  return "cut at " + std::to_string(cuts.front());
}

// Answers in short, one entry each:
//   200 [keep-alive|close] [further fields] [body, or (its length) after a HEAD]
// The body of an error that is just its reason phrase is left out. Each answer's fixed parts are
// checked here, so no test has to.
std::vector<std::string> answers(std::string_view bytes);

// The answers joined by " | ".
std::string log_of(std::string_view bytes);

// Date differs from run to run.
std::string without_dates(std::string bytes);
