#include "04_bufferevent_http/command.h"

#include <getopt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

#include "common/ascii.h"
#include "common/command_line.h"
#include "common/version.h"

namespace {

constexpr const char* kHelp =
    R"(usage: evhttp_client [flags] URL

  -X, --request METHOD     GET, or POST with -d
  -H, --header LINE        'Name: value' adds or replaces, 'Name:' leaves out
  -u, --user USER:PASS     HTTP Basic authentication
  -d, --data DATA          a body; @FILE without its line ends, - is stdin; several joined by '&'
  -i, --include            print the head, too
  -f, --fail               status 400 and above: no output, exit 22
  -m, --max-time SECONDS   give up after that: exit 28
      --retry N            a time-out, 408, 429, 500, 502, 503 or 504: wait, then try again
      --rpc-upper TEXT     call the remote procedure Upper of the URL's server
      --help, --version    print this, print the version

exit status: 0, or as curl's:
   1 not an http URL      2 wrong flag           3 bad URL
   6 no such host         7 no connection        8 not an HTTP reply
  18 body cut short      22 -f: 400 or above    23 cannot write the output
  26 cannot read a file  28 -m: time is up      52 empty reply
  56 receiving failed
)";

[[noreturn]] void fail(Exit status, const std::string& message) {
  refuse("evhttp_client", "(" + std::to_string(status) + ") " + message, status);
}

[[noreturn]] void bad_value(const char* flag, std::string_view value) {
  fail(kUsage, std::string(flag) + ": bad value '" + std::string(value) + "'");
}

double number(const char* flag, std::string_view text) {
  constexpr double kMost = 1e6;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stopped != end || !(value >= 0 && value <= kMost)) {
    bad_value(flag, text);
  }
  return value;
}

evhttp_cmd_type method_named(std::string_view name) {
  constexpr std::array<std::string_view, 9> kMethods = {
      "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"};
  const auto* found = std::ranges::find(kMethods, name);
  if (found == kMethods.end()) bad_value("-X", name);  // evhttp can send no other
  return static_cast<evhttp_cmd_type>(1 << (found - kMethods.begin()));
}

// What -d names.
std::string read_data(const std::string& source) {
  const bool from_stdin = source == "-" || source == "@-";
  if (!from_stdin && !source.starts_with('@')) return source;
  std::ifstream file;
  if (!from_stdin) {
    file.open(source.substr(1), std::ios::binary);
  }
  std::istream& in = from_stdin ? std::cin : file;
  std::ostringstream read;
  // A directory opens and cannot be read; an empty file has nothing, and is no error.
  if (in.peek() != std::istream::traits_type::eof()) read << in.rdbuf();
  if (in.bad() || read.fail() || (!from_stdin && !file.is_open())) {
    fail(kUnreadableFile, "cannot read '" + source.substr(1) + "'");
  }
  std::string data = std::move(read).str();
  std::erase_if(data, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return data;
}

void add_data(Command& command, const std::string& source) {
  if (command.has_data) command.data += '&';
  command.data += read_data(source);
  command.has_data = true;
}

void add_header(Command& command, std::string_view line) {
  const std::size_t colon = line.find(':');
  // A line end, or a blank in front, would make another header of it than what is looked at below.
  const bool clean = line.find_first_of("\r\n") == std::string_view::npos &&
                     line.substr(0, colon).find_first_of(" \t") == std::string_view::npos;
  if (colon == std::string_view::npos || colon == 0 || !clean) bad_value("-H", line);
  // The body is sent with its length: a second framing is how requests get smuggled.
  if (equals_ignoring_case(line.substr(0, colon), "transfer-encoding")) bad_value("-H", line);
  command.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
}

std::string text(const char* may_be_null) { return may_be_null != nullptr ? may_be_null : ""; }

// %XX of the credentials in a URL.
std::string decode(const char* escaped) {
  std::size_t size = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(evhttp_uridecode(escaped, 0, &size),
                                                          std::free);
  return plain ? std::string(plain.get(), size) : "";
}

void set_url(Command& command, std::string url) {
  // A scheme stands in front of the first '/', '?' or '#': "://" in a query is none.
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos || url.find_first_of("/?#") < scheme) url.insert(0, "http://");
  const std::unique_ptr<evhttp_uri, decltype(&evhttp_uri_free)> uri(evhttp_uri_parse(url.c_str()),
                                                                    evhttp_uri_free);
  if (!uri) fail(kBadUrl, "bad URL '" + url + "'");
  command.host = text(evhttp_uri_get_host(uri.get()));
  if (command.host.empty()) fail(kBadUrl, "no host in URL '" + url + "'");
  if (!equals_ignoring_case(text(evhttp_uri_get_scheme(uri.get())), "http")) {
    fail(kUnsupportedProtocol, "not an http URL: '" + url + "'");
  }
  if (command.host.starts_with('[')) command.host = command.host.substr(1, command.host.size() - 2);
  const int port = evhttp_uri_get_port(uri.get());
  command.port = std::to_string(port >= 0 ? port : 80);
  command.target = text(evhttp_uri_get_path(uri.get()));
  if (command.target.empty()) command.target = "/";
  if (const char* query = evhttp_uri_get_query(uri.get())) command.target += '?' + text(query);
  const char* user = evhttp_uri_get_userinfo(uri.get());
  if (user != nullptr && command.user.empty()) command.user = decode(user);
}

// curl would ask for the password; without a terminal it takes an empty one.
void complete_user(Command& command) {
  if (!command.user.empty() && command.user.find(':') == std::string::npos) command.user += ':';
}

const std::array<option, 12> kFlags = {{{"request", required_argument, nullptr, 'X'},
                                        {"header", required_argument, nullptr, 'H'},
                                        {"user", required_argument, nullptr, 'u'},
                                        {"data", required_argument, nullptr, 'd'},
                                        {"include", no_argument, nullptr, 'i'},
                                        {"fail", no_argument, nullptr, 'f'},
                                        {"max-time", required_argument, nullptr, 'm'},
                                        {"retry", required_argument, nullptr, 'r'},
                                        {"rpc-upper", required_argument, nullptr, 'R'},
                                        {"help", no_argument, nullptr, 'h'},
                                        {"version", no_argument, nullptr, 'v'},
                                        {}}};

[[noreturn]] void print(const char* what) {
  std::fputs(what, stdout);
  std::exit(kOk);
}

}  // namespace

std::string name_and_version(char between) {
  return std::string("evhttp_client") + between + kVersion;
}

Command parse_command(int argc, char** argv) {
  Command command;
  std::optional<evhttp_cmd_type> method;
  opterr = 0;
  for (int flag = 0;;) {
    // The next one that is a flag: getopt_long passes over the URL, and puts it last.
    char** const at = std::find_if(argv + optind, argv + argc,
                                   [](const char* word) { return word[0] == '-' && word[1] != 0; });
    flag = getopt_long(argc, argv, ":X:H:u:d:ifm:", kFlags.data(), nullptr);
    if (flag == -1) break;
    if (flag == 'X') method = method_named(optarg);
    if (flag == 'H') add_header(command, optarg);
    if (flag == 'u') command.user = optarg;
    if (flag == 'd') add_data(command, optarg);
    if (flag == 'i') command.include_head = true;
    if (flag == 'f') command.fail = true;
    if (flag == 'm') {
      command.max_time = std::chrono::microseconds(std::llround(number("-m", optarg) * 1e6));
    }
    if (flag == 'r') {
      const double count = number("--retry", optarg);
      if (count != std::floor(count)) bad_value("--retry", optarg);
      command.retries = static_cast<unsigned>(count);
    }
    if (flag == 'R') command.rpc_upper = optarg;
    if (flag == 'h') print(kHelp);
    if (flag == 'v') print((name_and_version(' ') + '\n').c_str());
    if (flag == ':') fail(kUsage, std::string(*at) + ": needs a value");
    if (flag == '?') fail(kUsage, unknown_flag(*at, kFlags.data()) + " (try --help)");
  }
  if (optind + 1 != argc)
    fail(kUsage, optind == argc ? "no URL (try --help)" : "more than one URL");
  set_url(command, argv[optind]);
  complete_user(command);
  command.method = method.value_or(command.has_data ? EVHTTP_REQ_POST : EVHTTP_REQ_GET);
  return command;
}
