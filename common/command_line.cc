#include "common/command_line.h"

#include <cstdio>

std::string one_line(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      line += c;
    }
  }
  return line;
}

void print_error(std::string_view message) {
  std::fputs((one_line(message) + '\n').c_str(), stderr);
}

std::string unknown_flag(std::string_view argument, const option* flags) {
  const std::string_view given = argument.substr(0, argument.find('='));
  const bool is_long = given.size() > 2 && given.starts_with("--");
  std::string candidates;
  int count = 0;
  for (const option* flag = flags; is_long && flag->name != nullptr; ++flag) {
    if (!std::string_view(flag->name).starts_with(given.substr(2))) continue;
    candidates += (count++ == 0 ? "--" : ", --") + std::string(flag->name);
  }
  const std::string quoted = '\'' + std::string(argument) + '\'';
  // One candidate is the flag itself, given a value that it does not take.
  return count > 1 ? "ambiguous flag " + quoted + ": " + candidates : "unknown flag " + quoted;
}
