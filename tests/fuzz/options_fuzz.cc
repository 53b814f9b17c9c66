// The flags: one argument per line of the input. Whatever they are, the outcome is options within
// their limits, or exit 0 with something on stdout, or exit 2 with one line on stderr that quotes
// what was wrong.

#include <cstdlib>
#include <string>
#include <vector>

namespace {
struct Exit {
  int status;
};
}  // namespace

// The real one would end the fuzzer. An exception unwinds as a return does, and nothing leaks.
namespace std {
[[noreturn]] static void exit_by_throw(int status) { throw Exit{status}; }
}  // namespace std
#define exit exit_by_throw
// NOLINTBEGIN(bugprone-suspicious-include)
#include "common/command_line.cc"
#include "common/options.cc"
// NOLINTEND(bugprone-suspicious-include)
#undef exit

#include "tests/fuzz/fuzz.h"

namespace {

// What is printed on stdout or stderr while this lives.
class Capture {
 public:
  explicit Capture(FILE*& stream) : stream_(stream), saved_(stream) {
    stream_ = open_memstream(&text_, &size_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    stop();
    std::free(text_);
  }
  std::string_view stop() {
    if (stream_ != saved_) std::fclose(stream_);
    stream_ = saved_;
    return {text_, size_};
  }

 private:
  FILE*& stream_;
  FILE* saved_;
  char* text_ = nullptr;
  std::size_t size_ = 0;
};

std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> arguments = {"stage"};
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    arguments.emplace_back(line.substr(0, line.find('\0')));  // as execve(2) would
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return arguments;
}

constexpr std::string_view kModes[] = {"mod", "del-add", "eager"};
constexpr StageFlag kRearm = {"rearm", "MODE", "how", kModes};

void require_within_limits(const Options& o) {
  require(!o.host.empty(), "a host");
  require(o.max_connections >= 1 && o.max_connections <= 1'000'000'000, "--max-connections");
  require(o.threads >= 1 && o.threads <= 256, "--threads");
  require(o.max_body <= 1U << 30, "--max-body");
  require(o.idle_timeout.count() > 0 && o.idle_timeout <= std::chrono::years(1), "--idle-timeout");
  require(o.grace.count() >= 0 && o.grace <= std::chrono::years(1), "--grace");
  require(o.auth.empty() || o.auth.find(':') != std::string::npos, "--auth");
  const std::string_view rearm = o.value_of("rearm");
  require(rearm.empty() || std::ranges::find(kModes, rearm) != std::end(kModes), "--rearm");
}

// What stands between the outer quotes of a message, or in front of ": needs a value".
std::string_view named_by(std::string_view message) {
  const std::size_t quote = message.find('\'');
  if (quote != std::string_view::npos) {
    return message.substr(quote + 1, message.rfind('\'') - quote - 1);
  }
  message.remove_prefix(message.find(": ") + 2);
  return message.substr(0, message.rfind(": "));
}

void require_honest(std::string_view message, const std::vector<std::string>& arguments) {
  require(message.ends_with('\n') && message.find('\n') == message.size() - 1, "one line");
  const std::string_view named = named_by(message);
  const bool given = std::ranges::any_of(
      arguments, [&](const std::string& argument) { return one_line(argument).ends_with(named); });
  require(given, "the line quotes an argument");
  require(!message.starts_with("stage: unknown flag") || named.starts_with('-'),
          "only what starts with '-' is called a flag");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Stage stage = {.name = "stage", .number = 2, .flags = {kRearm}};
  const std::vector<std::string> arguments = arguments_of(text);
  std::vector<std::string> writable = arguments;
  std::vector<char*> argv;
  for (std::string& argument : writable) argv.push_back(argument.data());
  argv.push_back(nullptr);

  Capture out(stdout);
  Capture err(stderr);
  int status = -1;
  try {
    optind = 0;  // getopt starts anew, in the order that this first call asks for
    parse_options(1, argv.data(), stage);
    const Options options = parse_options(static_cast<int>(arguments.size()), argv.data(), stage);
    err.stop();
    require_within_limits(options);
  } catch (const Exit& exited) {
    status = exited.status;
  }
  const std::string_view error = err.stop();
  const std::string_view said = out.stop();
  require(said.empty() == (status != 0), "stdout is for --help and --version");
  require(error.empty() == (status != 2), "stderr is for what was wrong");
  if (status == 2) require_honest(error, arguments);
  return 0;
}
