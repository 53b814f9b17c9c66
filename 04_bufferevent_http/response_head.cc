#include "04_bufferevent_http/response_head.h"

#include <algorithm>
#include <optional>

#include "common/ascii.h"

namespace {

struct Field {
  std::string_view line, name, value;  // the line with its end
};

// The status of "HTTP/1.1 200 OK"; 0: it is none.
int status_of(std::string_view line) {
  if (!line.starts_with("HTTP/1.") || line.size() < 13 || !is_digit(line[7])) return 0;
  const std::string_view digits = line.substr(9, 3);
  const bool three = line[8] == ' ' && std::ranges::all_of(digits, is_digit);
  const bool ends = line[12] == ' ' || line[12] == '\r' || line[12] == '\n';
  if (!three || !ends || digits[0] == '0') return 0;
  return (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
}

Field next_field(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n') + 1);
  rest.remove_prefix(line.size());
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  while (value.ends_with('\n') || value.ends_with('\r')) value.remove_suffix(1);
  return {line, line.substr(0, colon), trim(value)};
}

}  // namespace

ResponseHead parse_response_head(std::string_view head) {
  ResponseHead found{.status = status_of(head)};
  std::optional<std::string_view> length;
  std::string others;
  std::string_view rest = head;
  found.plain = next_field(rest).line;  // the status line
  while (!rest.empty()) {
    const Field field = next_field(rest);
    if (equals_ignoring_case(field.name, "content-length")) {
      const bool another = length && *length != field.value;
      if (another || field.value.empty() || !std::ranges::all_of(field.value, is_digit)) return {};
      length = field.value;
    } else if (equals_ignoring_case(field.name, "transfer-encoding")) {
      found.chunked = equals_ignoring_case(field.value, "chunked");
    } else if (!equals_ignoring_case(field.name, "connection")) {
      others.append(field.line);
    }
  }
  if (length && !found.chunked) {
    found.plain.append("Content-Length: ").append(*length).append("\r\n");
  }
  found.plain.append(others);  // the empty line last
  return found;
}
