#include "common/command_line.h"

#include <cstdio>
#include <cstdlib>

std::string one_line(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line.append("\\n");
    } else if (byte < 0x20 || byte == 0x7f) {
      line.append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
    } else {
      line.push_back(c);
    }
  }
  return line;
}

void refuse(std::string_view program, std::string_view message, int status) {
  const std::string line = std::string(program) + ": " + one_line(message) + '\n';
  std::fputs(line.c_str(), stderr);
  std::exit(status);
}

std::string unknown_flag(std::string_view argument, const option* flags) {
  const std::string quoted = "'" + std::string(argument) + "'";
  if (!argument.starts_with("--")) return "unknown flag " + quoted;
  const std::string_view name = argument.substr(2, argument.find('=') - 2);
  std::string candidates;
  int count = 0;
  for (const option* flag = flags; flag->name != nullptr; ++flag) {
    if (!std::string_view(flag->name).starts_with(name)) continue;
    candidates.append(count++ == 0 ? "--" : ", --").append(flag->name);
  }
  if (count == 0) return "unknown flag " + quoted;
  if (count > 1) return "ambiguous flag " + quoted + ": " + candidates;
  return candidates + " takes no value: " + quoted;
}
