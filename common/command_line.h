#pragma once
// What a program says of a command line that it cannot use.

#include <getopt.h>

#include <string>
#include <string_view>

// `text` on one line: control characters are written out (\n, \x07).
std::string one_line(std::string_view text);

// "PROGRAM: MESSAGE" on stderr, one line whatever it quotes, and exit with `status`.
[[noreturn]] void refuse(std::string_view program, std::string_view message, int status);

// Why getopt_long(3) refused `argument`: no flag has that name, several begin with it (they are
// named), or it has a value that the flag does not take. `flags` as for getopt_long, whose last
// entry has no name. Each must have a `val` of its own: of flags that are alike getopt_long takes
// the first that an abbreviation may stand for.
std::string unknown_flag(std::string_view argument, const option* flags);
