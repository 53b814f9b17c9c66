#include "common/date.h"

std::string_view Date::line() {
  const std::time_t now = std::time(nullptr);
  if (now != second_) {
    second_ = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::strftime(text_.data(), text_.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
  }
  return {text_.data(), 37};
}
