#pragma once
// What a program says of a command line that it does not understand.

#include <getopt.h>

#include <string>
#include <string_view>

// `text` on one line: the control characters that may have come with a value, as \n or \xHH.
std::string one_line(std::string_view text);

// Prints `message` on stderr: one line, whatever it quotes.
void print_error(std::string_view message);

// Why getopt_long(3) refused `argument`: no flag has that name, or several begin with it. They are
// named. `flags` ends with an entry without a name, as for getopt_long.
std::string unknown_flag(std::string_view argument, const option* flags);
