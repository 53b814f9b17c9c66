#pragma once
// The flags of every stage, and those that a stage adds (getopt_long(3)).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/stats.h"

// A flag that not every stage has.
struct StageFlag {
  const char* name;      // without the dashes
  const char* argument;  // its value's name in --help; null: it has none
  const char* help;
  std::span<const std::string_view> values = {};  // what it takes; the first is what it is without
  bool one_loop_only = false;                     // an error with --threads
};

// What sets a stage apart before its loop runs.
struct Stage {
  std::string_view name;  // "01_plain_epoll"
  std::uint16_t number;   // ports 7000 + number and 8000 + number
  bool text = true;       // has a text port, and the flags for it
  std::vector<StageFlag> flags = {};
  std::span<const Gauge> gauges = {};
};

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t text_port = 0;
  std::uint16_t http_port = 0;
  bool text_upper = true;
  std::chrono::microseconds idle_timeout = std::chrono::seconds(60);
  std::chrono::microseconds grace = std::chrono::seconds(5);
  std::uint64_t max_connections = 10000;
  std::uint32_t max_body = 1048576;
  std::size_t threads = 1;
  std::string auth;                          // USER:PASSWORD; empty: no authentication
  std::chrono::microseconds heartbeat = {};  // 0: none

  // The stage's own flags: the value that was given, empty for none.
  std::string_view value_of(std::string_view flag) const {
    const auto found = own.find(flag);
    return found == own.end() ? std::string_view() : found->second;
  }
  bool has(std::string_view flag) const { return own.contains(flag); }
  std::map<std::string, std::string, std::less<>> own = {};
};

// Prints and exits for --help and --version (0) and for what cannot be understood (one line, 2).
Options parse_options(int argc, char** argv, const Stage& stage);
