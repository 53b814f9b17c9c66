// Flags: each wrong one is named in one line on stderr and ends the program with 2.
// parse_options() exits, so it runs in a child process whose output is read.

#include "common/options.h"

#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "common/check.h"
#include "common/command_line.h"
#include "tests/unit/support.h"

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 3> kModes = {"mod", "del-add", "eager"};
constexpr StageFlag kRearm = {"rearm", "MODE", "how", kModes};
constexpr StageFlag kAlone = {
    .name = "alone", .argument = nullptr, .help = "h", .one_loop_only = true};
const Stage kStage = {.name = "02_unit", .number = 2, .flags = {kRearm, kAlone}};
const Stage kPlain = {.name = "01_unit", .number = 1};
const Stage kHttpOnly = {.name = "04_unit", .number = 4, .text = false};

Options parse(std::vector<std::string> arguments, const Stage& stage = kStage) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  optind = 1;  // getopt_long(3) keeps its place between calls
  return parse_options(static_cast<int>(argv.size()) - 1, argv.data(), stage);
}

struct Outcome {
  int status = -1;  // kAccepted: no exit
  std::string out;
  std::string err;
};
constexpr int kAccepted = 77;

std::string read_all(int fd) {
  std::string text;
  std::array<char, 1024> chunk{};
  for (ssize_t got = 0; (got = read(fd, chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(fd);
  return text;
}

Outcome run(const std::vector<std::string>& arguments, const Stage& stage = kStage) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  check(pipe(out.data()), "pipe");
  check(pipe(err.data()), "pipe");
  std::fflush(nullptr);
  const pid_t child = check(fork(), "fork");
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    // Registered last, called first: what sanitizers do at exit would cost more than all tests.
    on_exit([](int status, void*) { std::fflush(nullptr), _exit(status); }, nullptr);
    parse(arguments, stage);
    _exit(kAccepted);
  }
  close(out[1]);
  close(err[1]);
  Outcome outcome{.out = read_all(out[0]), .err = read_all(err[0])};
  int status = 0;
  check(waitpid(child, &status, 0), "waitpid");
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

// Refused, in one line that holds `named`.
void expect_refused(const std::vector<std::string>& arguments, const std::string& named,
                    const Stage& stage = kStage) {
  const Outcome outcome = run(arguments, stage);
  EXPECT_EQ(outcome.status, 2) << testing::PrintToString(arguments);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, testing::HasSubstr(named));
  EXPECT_TRUE(outcome.err.ends_with('\n'));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

}  // namespace

TEST(Options, Defaults) {
  const Options options = parse({});
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.text_port, 7002);
  EXPECT_EQ(options.http_port, 8002);
  EXPECT_TRUE(options.text_upper);
  EXPECT_EQ(options.idle_timeout, 60s);
  EXPECT_EQ(options.grace, 5s);
  EXPECT_EQ(options.max_connections, 10000U);
  EXPECT_EQ(options.max_body, 1048576U);
  EXPECT_EQ(options.threads, 1U);
  EXPECT_EQ(options.auth, "");
  EXPECT_EQ(options.value_of("rearm"), "");
  EXPECT_FALSE(options.has("alone"));
}

TEST(Options, Values) {
  const Options options =
      parse({"--host=::1", "--text-port", "0", "--http-port=65535", "--text-mode=echo",
             "--idle-timeout=0.25", "--grace=0", "--max-connections=1", "--max-body=0",
             "--threads=4", "--auth=me:a:b", "--rearm=eager"});
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.text_port, 0);
  EXPECT_EQ(options.http_port, 65535);
  EXPECT_FALSE(options.text_upper);
  EXPECT_EQ(options.idle_timeout, 250ms);
  EXPECT_EQ(options.grace, 0s);
  EXPECT_EQ(options.max_connections, 1U);
  EXPECT_EQ(options.max_body, 0U);
  EXPECT_EQ(options.threads, 4U);
  EXPECT_EQ(options.auth, "me:a:b");
  EXPECT_EQ(options.value_of("rearm"), "eager");
  EXPECT_EQ(parse({"--grace=1.5"}).grace, 1500ms);
  EXPECT_EQ(parse({"--idle-timeout", "7"}).idle_timeout, 7s);
  EXPECT_EQ(parse({"--text-mode=echo", "--text-mode=upper"}).text_upper, true);
  EXPECT_EQ(parse({"--rearm=del-add"}).value_of("rearm"), "del-add");
  EXPECT_TRUE(parse({"--alone"}).has("alone"));
}

TEST(Options, UnknownFlags) {
  expect_refused({"--nonsense"}, "--nonsense");
  expect_refused({"--nonsense=1"}, "--nonsense");
  expect_refused({"--threadz=1"}, "unknown flag '--threadz=1'");
  expect_refused({"-x"}, "-x");
  expect_refused({"--threads=2", "--nonsense"}, "--nonsense");
  expect_refused({"--rearm=mod"}, "--rearm", kPlain);
  expect_refused({"extra"}, "extra");
  expect_refused({"--threads=2", "extra"}, "extra");
  expect_refused({"--", "extra"}, "extra");
  expect_refused({""}, "''");
  expect_refused({"extra", "--nonsense"}, "unexpected argument 'extra'");
  expect_refused({"--help=x"}, "--help");
}

// Fails where an abbreviation means the first of the flags that begin with it.
TEST(Options, Abbreviations) {
  const Options options = parse({"--max-c", "5", "--max-b=7", "--thr=2"});
  EXPECT_EQ(options.max_connections, 5U);
  EXPECT_EQ(options.max_body, 7U);
  EXPECT_EQ(options.threads, 2U);
  for (const std::string given : {"--max", "--max=5", "--max-", "--m"}) {
    expect_refused({given, "5"}, "ambiguous flag '" + given + "': --max-connections, --max-body ");
  }
  expect_refused({"--h"}, "'--h': --help, --host, --http-port, --heartbeat ");
  expect_refused({"--c"}, "unknown flag '--c'");  // --changelist is not this stage's
}

// Fails where a value is printed as it came: a line end makes two lines of one.
TEST(Options, OneLineWhateverTheValueHolds) {
  expect_refused({"--threads=1\n2"}, "'1\\n2'");
  expect_refused({"--text-mode", "\x1b[2J\r\x7f\t\x1f "}, R"('\x1b[2J\x0d\x7f\x09\x1f ')");
  expect_refused({"--no\nflag"}, R"(unknown flag '--no\nflag')");
  expect_refused({"ex\ntra"}, R"(unexpected argument 'ex\ntra')");
  expect_refused({"--max=\n"}, R"(ambiguous flag '--max=\n')");
  expect_refused({"--threads=naïve"}, "'naïve'");
}

TEST(Options, MissingValues) {
  for (const std::string flag :
       {"--host", "--text-port", "--http-port", "--text-mode", "--idle-timeout",
        "--max-connections", "--max-body", "--grace", "--threads", "--auth", "--rearm"}) {
    expect_refused({flag}, flag);
    expect_refused({"--threads=2", flag}, flag);
    expect_refused({flag + "="}, flag);
  }
}

TEST(Options, WholeNumbers) {
  for (const std::string flag :
       {"--text-port", "--http-port", "--max-connections", "--max-body", "--threads"}) {
    for (const std::string value : {"-1", "+1", "1x", "x", " 1", "1 ", "0x10", "1.5", "1e3",
                                    "18446744073709551617", "99999999999999999999999"}) {
      expect_refused({flag + "=" + value}, flag);
    }
  }
  expect_refused({"--text-port=65536"}, "--text-port");
  expect_refused({"--http-port", "-1"}, "--http-port");
  expect_refused({"--max-connections=0"}, "--max-connections");
  expect_refused({"--threads=0"}, "--threads");
  expect_refused({"--threads=100000"}, "--threads");
  expect_refused({"--max-body=4294967296"}, "--max-body");
}

TEST(Options, Seconds) {
  for (const std::string flag : {"--idle-timeout", "--grace"}) {
    for (const std::string value :
         {"-1", "-0.5", "+1", "1s", "x", "nan", "inf", "infinity", "1e3", "1e999", "0x1", " 1",
          "1 ", "1,5", "1.5.5", "99999999999999999999"}) {
      expect_refused({flag + "=" + value}, flag);
    }
  }
  expect_refused({"--idle-timeout=0"}, "--idle-timeout");
  expect_refused({"--idle-timeout=0.0000001"}, "--idle-timeout");
}

// Fails where the largest or the smallest value is refused, or the next one taken.
TEST(Options, TheEndsOfEachRange) {
  EXPECT_EQ(parse({"--max-connections=1000000000"}).max_connections, 1'000'000'000U);
  expect_refused({"--max-connections=1000000001"}, "--max-connections");
  EXPECT_EQ(parse({"--max-body=1073741824"}).max_body, 1U << 30);
  expect_refused({"--max-body=1073741825"}, "--max-body");
  EXPECT_EQ(parse({"--threads=256"}).threads, 256U);
  expect_refused({"--threads=257"}, "--threads");
  EXPECT_EQ(parse({"--idle-timeout=0.001"}).idle_timeout, 1ms);
  EXPECT_EQ(parse({"--idle-timeout=31536000"}).idle_timeout, 365 * 24h);
  EXPECT_EQ(parse({"--heartbeat=0.001"}).heartbeat, 1ms);
  EXPECT_EQ(parse({"--grace=0.0000005"}).grace, 1us) << "rounded";
  for (const std::string flag : {"--idle-timeout", "--heartbeat"}) {
    expect_refused({flag + "=0.0009999"}, flag);
    expect_refused({flag + "=31536000.1"}, flag);
  }
  EXPECT_EQ(parse({"--text-port=65535"}).text_port, 65535);
  EXPECT_EQ(parse({}, kPlain).text_port, 7001);
  EXPECT_EQ(parse({}, kPlain).http_port, 8001);
  EXPECT_EQ(parse({}).heartbeat, 0s);
}

TEST(Options, Words) {
  expect_refused({"--text-mode=Upper"}, "--text-mode");
  expect_refused({"--text-mode=both"}, "--text-mode");
  expect_refused({"--auth=nobody"}, "--auth");
  expect_refused({"--rearm=swap"}, "--rearm");
  constexpr std::array<std::string_view, 2> kSwap = {"swap", "eager"};
  const StageFlag rearm = {"rearm", "MODE", "how", kSwap};
  const Stage third = {.name = "03_unit", .number = 3, .flags = {rearm}};
  EXPECT_EQ(parse({"--rearm=swap"}, third).value_of("rearm"), "swap");
  EXPECT_EQ(parse({"--rearm=eager"}, third).value_of("rearm"), "eager");
  expect_refused({"--rearm=mod"}, "--rearm", third);
}

TEST(Refuse, IsOneLineWhateverWasGiven) {
  EXPECT_EXIT(refuse("program", "bad 'a\nb\r\x7f\xc3\xa9'", 2), testing::ExitedWithCode(2),
              testing::Eq("program: bad 'a\\nb\\x0d\\x7f\xc3\xa9'\n"));
}

TEST(Options, TogetherOrNot) {
  EXPECT_TRUE(parse({"--alone", "--threads=1"}).has("alone"));
  expect_refused({"--alone", "--threads=2"}, "--alone: needs --threads 1");
  expect_refused({"--threads=2", "--alone"}, "--alone");
  expect_refused({"--alone=x"}, "--alone takes no value: '--alone=x'");
}

TEST(Options, HelpNamesEveryFlag) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.err, "");
  for (const std::string flag :
       {"--host", "--text-port", "--http-port", "--text-mode", "--idle-timeout",
        "--max-connections", "--max-body", "--grace", "--threads", "--auth", "--rearm", "--help",
        "--version", "--heartbeat", "del-add"}) {
    EXPECT_THAT(help.out, testing::HasSubstr(flag));
  }
  EXPECT_THAT(help.out, testing::StartsWith("usage: 02_unit [flags]\n\n  --help "));
  EXPECT_THAT(help.out, testing::EndsWith("  --rearm MODE             how: mod, del-add, eager\n"
                                          "  --alone                  h\n"));
  EXPECT_THAT(run({"--help"}, kPlain).out, testing::Not(testing::HasSubstr("--rearm")));
}

// Fails where a stage takes a flag for a port that it does not have, or names it.
TEST(Options, WithoutATextPort) {
  expect_refused({"--text-port=1"}, "unknown flag '--text-port=1'", kHttpOnly);
  expect_refused({"--text-mode=echo"}, "unknown flag '--text-mode=echo'", kHttpOnly);
  EXPECT_EQ(parse({"--http-port=1"}, kHttpOnly).http_port, 1);
  EXPECT_THAT(run({"--help"}, kHttpOnly).out, testing::Not(testing::HasSubstr("text")));
}

TEST(Options, Version) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.err, "");
  EXPECT_THAT(version.out, testing::MatchesRegex("02_unit [0-9.]+\n"));
}

TEST(Options, GoodValuesDoNotExit) { EXPECT_EQ(run({"--threads=2"}).status, kAccepted); }
