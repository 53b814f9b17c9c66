#include "common/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "common/command_line.h"

namespace {

constexpr std::string_view kVersion = "1.0";

class Parser {
 public:
  explicit Parser(const Stage& stage) : stage_(stage) {
    options_.text_port = static_cast<std::uint16_t>(7000 + stage.number);
    options_.http_port = static_cast<std::uint16_t>(8000 + stage.number);
    if (!stage.rearm.empty()) options_.rearm = stage.rearm.front();
  }

  Options parse(int argc, char** argv);

 private:
  struct Flag {
    const char* name;
    const char* argument;  // nullptr: none
    const char* help;
    void (Parser::*set)(std::string_view value);
  };
  static const std::vector<Flag> kFlags;

  [[noreturn]] void fail(const std::string& message) const {
    print_error(std::string(stage_.name) + ": " + message + " (try --help)");
    std::exit(2);
  }
  [[noreturn]] void bad_value(std::string_view value) const {
    fail("--" + std::string(flag_) + ": bad value '" + std::string(value) + "'");
  }

  std::uint64_t number(std::string_view value, std::uint64_t least, std::uint64_t most) const {
    std::uint64_t result = 0;
    const char* end = value.data() + value.size();
    const auto [stopped, error] = std::from_chars(value.data(), end, result);
    if (error != std::errc() || stopped != end || result < least || result > most) bad_value(value);
    return result;
  }

  std::chrono::microseconds seconds(std::string_view value, double least) const {
    constexpr double kMost = 365.0 * 24 * 60 * 60;
    double result = 0;
    const char* end = value.data() + value.size();
    const auto [stopped, error] =
        std::from_chars(value.data(), end, result, std::chars_format::fixed);
    if (error != std::errc() || stopped != end || !(result >= least && result <= kMost))
      bad_value(value);
    return std::chrono::microseconds(std::llround(result * 1e6));
  }

  std::uint16_t port(std::string_view value) const {
    return static_cast<std::uint16_t>(number(value, 0, 65535));
  }

  void set_host(std::string_view value) {
    if (value.empty()) bad_value(value);
    options_.host = value;
  }
  void set_text_port(std::string_view value) { options_.text_port = port(value); }
  void set_http_port(std::string_view value) { options_.http_port = port(value); }
  void set_text_mode(std::string_view value) {
    if (value != "upper" && value != "echo") bad_value(value);
    options_.text_upper = value == "upper";
  }
  void set_idle_timeout(std::string_view value) { options_.idle_timeout = seconds(value, 0.001); }
  void set_grace(std::string_view value) { options_.grace = seconds(value, 0); }
  void set_max_connections(std::string_view value) {
    options_.max_connections = number(value, 1, 1'000'000'000);
  }
  void set_max_body(std::string_view value) {
    options_.max_body = static_cast<std::uint32_t>(number(value, 0, 1U << 30));
  }
  void set_threads(std::string_view value) { options_.threads = number(value, 1, 256); }
  void set_auth(std::string_view value) {
    if (value.find(':') == std::string_view::npos) bad_value(value);
    options_.auth = value;
  }
  void set_rearm(std::string_view value) {
    if (std::ranges::find(stage_.rearm, value) == stage_.rearm.end()) bad_value(value);
    options_.rearm = value;
  }
  void set_heartbeat(std::string_view value) { options_.heartbeat = seconds(value, 0.001); }
  void set_backend(std::string_view value) {
    if (value != "epoll" && value != "poll" && value != "select") bad_value(value);
    options_.backend = value;
  }
  void set_changelist(std::string_view) { options_.changelist = true; }
  void set_libevent_debug(std::string_view) { options_.libevent_debug = true; }
  void set_count_memory(std::string_view) { options_.count_memory = true; }
  void help(std::string_view);
  void version(std::string_view);
  bool applies(const Flag& flag) const {
    if (flag.set == &Parser::set_rearm) return !stage_.rearm.empty();
    const bool text = flag.set == &Parser::set_text_port || flag.set == &Parser::set_text_mode;
    const bool libevent = flag.set == &Parser::set_backend || flag.set == &Parser::set_changelist ||
                          flag.set == &Parser::set_libevent_debug ||
                          flag.set == &Parser::set_count_memory;
    return (stage_.text || !text) && (stage_.libevent_bytes != nullptr || !libevent);
  }

  const Stage& stage_;
  std::string_view flag_;  // the one being set, for the message
  Options options_;
};

const std::vector<Parser::Flag> Parser::kFlags = {
    {"host", "NAME", "name, IPv4 or IPv6 address to listen on (127.0.0.1)", &Parser::set_host},
    {"text-port", "PORT", "text port; 0 picks a free one (7000 + stage)", &Parser::set_text_port},
    {"http-port", "PORT", "HTTP port; 0 picks a free one (8000 + stage)", &Parser::set_http_port},
    {"text-mode", "MODE", "upper or echo (upper)", &Parser::set_text_mode},
    {"idle-timeout", "SECONDS", "close a connection that makes no progress (60)",
     &Parser::set_idle_timeout},
    {"max-connections", "N", "clients served at once, both ports together (10000)",
     &Parser::set_max_connections},
    {"max-body", "BYTES", "largest request body (1048576)", &Parser::set_max_body},
    {"grace", "SECONDS", "after SIGTERM, time for requests that are under way (5)",
     &Parser::set_grace},
    {"threads", "N", "independent loops sharing the ports (1)", &Parser::set_threads},
    {"auth", "USER:PASSWORD", "HTTP Basic authentication on every route but /hello",
     &Parser::set_auth},
    {"rearm", "MODE", "how a connection changes from reading to writing: ", &Parser::set_rearm},
    {"heartbeat", "SECONDS", "print a line of counters that often", &Parser::set_heartbeat},
    {"backend", "NAME", "libevent on epoll, poll or select (epoll)", &Parser::set_backend},
    {"changelist", nullptr, "libevent collects changes, epoll_ctl is called before waiting only",
     &Parser::set_changelist},
    {"libevent-debug", nullptr, "libevent checks how it is used, and says what it does",
     &Parser::set_libevent_debug},
    {"count-memory", nullptr, "show in /stats what libevent has allocated",
     &Parser::set_count_memory},
    {"help", nullptr, "print this and exit", &Parser::help},
    {"version", nullptr, "print the version and exit", &Parser::version},
};

Options Parser::parse(int argc, char** argv) {
  // Each flag has a value of its own: where all are alike, getopt_long takes the first of those
  // that an abbreviation may stand for.
  constexpr int kFirst = 256;  // no character
  std::vector<option> long_options;
  std::vector<const Flag*> flags;
  for (const Flag& flag : kFlags) {
    if (!applies(flag)) continue;
    const int argument = flag.argument != nullptr ? required_argument : no_argument;
    long_options.push_back({flag.name, argument, nullptr, kFirst + static_cast<int>(flags.size())});
    flags.push_back(&flag);
  }
  long_options.push_back({});
  opterr = 0;  // the message is ours: one line that names the flag
  // '+': in order. Otherwise getopt puts other arguments aside, and argv[at] is not the flag.
  while (true) {
    const int at = optind;
    const int found = getopt_long(argc, argv, "+:", long_options.data(), nullptr);
    if (found == -1) break;
    if (found == ':') fail(std::string(argv[at]) + ": needs a value");
    if (found < kFirst) fail(unknown_flag(argv[at], long_options.data()));
    const Flag& flag = *flags[static_cast<std::size_t>(found - kFirst)];
    flag_ = flag.name;
    (this->*flag.set)(optarg != nullptr ? optarg : "");
  }
  if (optind < argc) fail("unexpected argument '" + std::string(argv[optind]) + "'");
  // The table of what libevent has seen is the process's, and only locks would make it the loops'.
  if (options_.libevent_debug && options_.threads > 1) fail("--libevent-debug: needs --threads 1");
  return options_;
}

void Parser::help(std::string_view) {
  std::printf("usage: %s [flags]\n\n", std::string(stage_.name).c_str());
  for (const Flag& flag : kFlags) {
    if (!applies(flag)) continue;
    std::string left = std::string("--") + flag.name;
    if (flag.argument != nullptr) left += std::string(" ") + flag.argument;
    std::printf("  %-24s %s", left.c_str(), flag.help);
    if (flag.set == &Parser::set_rearm) {
      for (const std::string_view mode : stage_.rearm) {
        std::printf("%s%s", mode == stage_.rearm.front() ? "" : ", ", std::string(mode).c_str());
      }
    }
    std::printf("\n");
  }
  std::exit(0);
}

void Parser::version(std::string_view) {
  std::printf("%s %s\n", std::string(stage_.name).c_str(), std::string(kVersion).c_str());
  std::exit(0);
}

}  // namespace

Options parse_options(int argc, char** argv, const Stage& stage) {
  return Parser(stage).parse(argc, argv);
}
