// The notation that the other tests rely on.

#include "tests/unit/support.h"

#include <ctime>

namespace {

// Cuts the field line `name` out of `head`; its value.
std::string take_field(std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t value = at + name.size() + 4;
  const std::size_t end = head.find("\r\n", value);
  std::string found = head.substr(value, end - value);
  head.erase(at, end - at);
  return found;
}

// It must read back to itself: day of the week, month and all digits are where they belong.
void check_date(const std::string& date) {
  constexpr const char* kFormat = "%a, %d %b %Y %H:%M:%S GMT";
  std::tm time{};
  ASSERT_NE(strptime(date.c_str(), kFormat, &time), nullptr) << date;
  const std::time_t seconds = timegm(&time);
  gmtime_r(&seconds, &time);
  std::array<char, 64> again{};
  std::strftime(again.data(), again.size(), kFormat, &time);
  EXPECT_EQ(date, again.data());
}

std::string without_trailing_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

std::string without_dates(std::string bytes) {
  for (std::size_t at = 0; (at = bytes.find("Date: ", at)) != std::string::npos;) {
    bytes.erase(at, bytes.find("\r\n", at) + 2 - at);
  }
  return bytes;
}

std::vector<std::string> answers(std::string_view bytes) {
  std::vector<std::string> all;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (!bytes.starts_with("HTTP/1.1 ") || end == std::string_view::npos) {
      ADD_FAILURE() << "not an answer: " << bytes.substr(0, 200);
      return all;
    }
    std::string head(bytes.substr(0, end + 2));
    bytes.remove_prefix(end + 4);
    std::string entry = head.substr(9, 3);
    const std::string reason = head.substr(13, head.find("\r\n") - 13);
    if (entry == "100") {
      all.push_back(entry);
      continue;
    }
    check_date(take_field(head, "Date"));
    const std::string connection = take_field(head, "Connection");
    const std::string length = take_field(head, "Content-Length");
    const std::string type = take_field(head, "Content-Type");
    if (!connection.empty()) entry += ' ' + connection;
    if (type != "text/plain; charset=utf-8" && !type.empty()) entry += " <" + type + ">";
    const std::string more = head.substr(head.find("\r\n") + 2);
    if (!more.empty()) entry += ' ' + more.substr(0, more.size() - 2);
    EXPECT_EQ(length.empty(), entry.starts_with("204")) << head;
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    if (size != 0 && (bytes.empty() || bytes.starts_with("HTTP/1.1 "))) {  // to a HEAD
      entry += " (" + length + ")";
    } else if (size > bytes.size()) {
      ADD_FAILURE() << "the body is cut short: " << bytes;
      return all;
    } else {
      const std::string body(bytes.substr(0, size));
      bytes.remove_prefix(size);
      const bool only_reason = body == entry.substr(0, 3) + ' ' + reason + "\r\n";
      if (!only_reason && !body.empty()) entry += ' ' + without_trailing_newline(body);
    }
    all.push_back(entry);
  }
  return all;
}

void number_counters(std::span<Stats> loops) {
  std::uint64_t value = 1;
  for (Stats& loop : loops) {
    for (const StatsField counter : {&Stats::open, &Stats::accepted, &Stats::requests,
                                     &Stats::bytes_in, &Stats::bytes_out, &Stats::wake_ups}) {
      (loop.*counter).set(value);
      value *= 10;
    }
  }
}

std::string log_of(std::string_view bytes) {
  std::string log;
  for (const std::string& answer : answers(bytes)) {
    if (!log.empty()) log += " | ";
    log += answer;
  }
  return log;
}

TEST(Notation, ReadsAnswers) {
  const std::string date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  EXPECT_EQ(log_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + date +
                   "Content-Type: a/b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"),
            "100 | 200 close <a/b> hi");
  EXPECT_EQ(
      log_of("HTTP/1.1 404 Not Found\r\n" + date + "Content-Length: 15\r\n\r\n404 Not Found\r\n"),
      "404");
}
