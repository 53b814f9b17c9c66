#pragma once
// The flags of every stage (getopt_long(3)).

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// What sets a stage apart before its loop runs.
struct Stage {
  std::string_view name;  // "01_plain_epoll"
  std::uint16_t number;   // ports 7000 + number and 8000 + number
  std::span<const std::string_view> rearm =
      {};            // what --rearm takes, the default first; empty: no such flag
  bool text = true;  // has a text port, and the flags for it
  // Bytes that libevent holds. Null: a stage without libevent, and without the flags for it.
  std::uint64_t (*libevent_bytes)() = nullptr;
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
  std::uint64_t threads = 1;
  std::string auth;                          // USER:PASSWORD; empty: no authentication
  std::string rearm;                         // one of Stage::rearm
  std::chrono::microseconds heartbeat = {};  // 0: none
  // libevent's:
  std::string backend;  // "epoll", "poll" or "select"; empty: the best there is
  bool changelist = false;
  bool libevent_debug = false;
  bool count_memory = false;
};

// Prints and exits for --help and --version (0) and for what cannot be understood (one line, 2).
Options parse_options(int argc, char** argv, const Stage& stage);
