#pragma once
// evhttp_client's command line: curl's flags, and curl's exit codes.

#include <event2/http.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

enum Exit {
  kOk = 0,
  kUnsupportedProtocol = 1,
  kUsage = 2,
  kBadUrl = 3,
  kNoHost = 6,
  kNoConnection = 7,
  kWeirdReply = 8,
  kPartialBody = 18,
  kHttpError = 22,
  kWriteError = 23,
  kUnreadableFile = 26,
  kTimeout = 28,
  kEmptyReply = 52,
  kReceiveFailed = 56,
};

struct Command {
  evhttp_cmd_type method = EVHTTP_REQ_GET;
  std::string host;    // without the brackets of an IPv6 address
  std::string port;    // as a number
  std::string target;  // "/upper?text=a"
  std::vector<std::pair<std::string, std::string>> headers;  // an empty value: leave it out
  std::string data;
  bool has_data = false;
  std::string user;                      // USER:PASSWORD
  std::optional<std::string> rpc_upper;  // the text to call Upper with, instead of the target
  bool include_head = false;
  bool fail = false;
  std::chrono::microseconds max_time = {};  // 0: for ever
  unsigned retries = 0;
};

// "evhttp_client 1.0": --version; with a slash between, User-Agent.
std::string name_and_version(char between);

// Prints one line and exits for what cannot be understood.
Command parse_command(int argc, char** argv);
