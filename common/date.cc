#include "common/date.h"

void Date::format(std::time_t now) {
  second_ = now;
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(text_.data(), text_.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
}
