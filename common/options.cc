#include "common/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "common/command_line.h"
#include "common/version.h"

namespace {

constexpr int kFirstValue = 256;  // what getopt returns for a flag: no character

class Parser {
 public:
  explicit Parser(const Stage& stage) : stage_(stage) {
    options_.text_port = static_cast<std::uint16_t>(7000 + stage.number);
    options_.http_port = static_cast<std::uint16_t>(8000 + stage.number);
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
    refuse(stage_.name, message + " (try --help)", 2);
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
  void set_threads(std::string_view value) {
    options_.threads = static_cast<std::size_t>(number(value, 1, 256));
  }
  void set_auth(std::string_view value) {
    if (value.find(':') == std::string_view::npos) bad_value(value);
    options_.auth = value;
  }
  void set_heartbeat(std::string_view value) { options_.heartbeat = seconds(value, 0.001); }
  void set(const StageFlag& flag, std::string_view value) {
    const bool known = std::ranges::find(flag.values, value) != flag.values.end();
    if (flag.argument != nullptr && !known) bad_value(value);
    options_.own[flag.name] = value;
  }
  void help(std::string_view);
  void version(std::string_view);
  void check_together() const;
  bool applies(const Flag& flag) const {
    return stage_.text ||
           (flag.set != &Parser::set_text_port && flag.set != &Parser::set_text_mode);
  }
  std::vector<const Flag*> flags() const {
    std::vector<const Flag*> all;
    for (const Flag& flag : kFlags) {
      if (applies(flag)) all.push_back(&flag);
    }
    return all;
  }

  const Stage& stage_;
  std::string_view flag_;  // the one being set, for the message
  Options options_;
};

const std::vector<Parser::Flag> Parser::kFlags = {
    {"help", nullptr, "print this and exit", &Parser::help},
    {"version", nullptr, "print the version and exit", &Parser::version},
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
    {"heartbeat", "SECONDS", "print a line of counters that often", &Parser::set_heartbeat},
};

Options Parser::parse(int argc, char** argv) {
  const std::vector<const Flag*> common = flags();
  std::vector<option> long_options;
  const auto add = [&](const auto& flag) {
    const int value = kFirstValue + static_cast<int>(long_options.size());
    const int argument = flag.argument != nullptr ? required_argument : no_argument;
    long_options.push_back({flag.name, argument, nullptr, value});
  };
  for (const Flag* flag : common) add(*flag);
  for (const StageFlag& flag : stage_.flags) add(flag);
  long_options.push_back({});
  opterr = 0;  // the message is ours: one line that names the flag
  // '+': in order. Otherwise getopt puts other arguments aside, and argv[at] is not the flag.
  while (true) {
    const int at = optind;
    const int found = getopt_long(argc, argv, "+:", long_options.data(), nullptr);
    if (found == -1) break;
    if (found == ':') fail(std::string(argv[at]) + ": needs a value");
    if (found < kFirstValue) fail(unknown_flag(argv[at], long_options.data()));
    const auto which = static_cast<std::size_t>(found - kFirstValue);
    flag_ = long_options[which].name;
    const std::string_view value = optarg != nullptr ? optarg : "";
    which < common.size() ? (this->*common[which]->set)(value)
                          : set(stage_.flags[which - common.size()], value);
  }
  if (optind < argc) fail("unexpected argument '" + std::string(argv[optind]) + "'");
  check_together();
  return options_;
}

void Parser::check_together() const {
  for (const StageFlag& flag : stage_.flags) {
    if (!flag.one_loop_only || !options_.has(flag.name) || options_.threads == 1) continue;
    fail("--" + std::string(flag.name) + ": needs --threads 1");
  }
}

void Parser::help(std::string_view) {
  std::printf("usage: %s [flags]\n\n", std::string(stage_.name).c_str());
  const auto print = [](const char* name, const char* argument, const std::string& help) {
    std::string left = std::string("--") + name;
    if (argument != nullptr) left += std::string(" ") + argument;
    std::printf("  %-24s %s\n", left.c_str(), help.c_str());
  };
  for (const Flag* flag : flags()) print(flag->name, flag->argument, flag->help);
  for (const StageFlag& flag : stage_.flags) {
    std::string help = flag.help;
    for (const std::string_view value : flag.values) {
      help.append(value == flag.values.front() ? ": " : ", ").append(value);
    }
    print(flag.name, flag.argument, help);
  }
  std::exit(0);
}

void Parser::version(std::string_view) {
  std::printf("%s %s\n", std::string(stage_.name).c_str(), kVersion);
  std::exit(0);
}

}  // namespace

Options parse_options(int argc, char** argv, const Stage& stage) {
  return Parser(stage).parse(argc, argv);
}
