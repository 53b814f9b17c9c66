#pragma once
// The Date field line, formatted once a second (RFC 9110, section 6.6.1). One per loop.

#include <array>
#include <ctime>
#include <string_view>

class Date {
 public:
  // "Date: Thu, 01 Jan 1970 00:00:00 GMT" and CRLF. Valid until the next call.
  std::string_view line() {
    if (const std::time_t now = std::time(nullptr); now != second_) format(now);
    return {text_.data(), 37};
  }

 private:
  void format(std::time_t now);

  std::time_t second_ = -1;
  std::array<char, 40> text_{};
};
