// HttpParser: what it says of a head does not depend on how the head was cut, on what stands behind
// it, or on where it stands in memory.

#include <sanitizer/asan_interface.h>

#include <vector>

#include "common/http_parser.h"
#include "tests/fuzz/fuzz.h"

namespace {

struct Outcome {
  HttpParser parser;
  ParseResult result;
  std::size_t shown = 0;  // how much it took
};

// Shows `message` step by step; what was not shown yet may not be touched.
Outcome parse(std::string_view message, Steps steps) {
  Outcome outcome;
  std::vector<char> copy(message.begin(), message.end());
  ASAN_POISON_MEMORY_REGION(copy.data(), copy.size());
  while (outcome.result.kind == ParseResult::kNeedMore && outcome.shown < message.size()) {
    const std::size_t step = std::min(steps.next(), message.size() - outcome.shown);
    ASAN_UNPOISON_MEMORY_REGION(copy.data() + outcome.shown, step);
    outcome.shown += step;
    outcome.result = outcome.parser.parse({copy.data(), outcome.shown});
  }
  ASAN_UNPOISON_MEMORY_REGION(copy.data(), copy.size());
  return outcome;
}

void require_same(const Outcome& a, const Outcome& b, std::string_view message) {
  require(a.result.kind == b.result.kind && a.result.status == b.result.status,
          "the same verdict, however it is cut");
  require(a.parser.started() == b.parser.started(), "started() does not depend on the cuts");
  if (a.result.kind != ParseResult::kComplete) return;
  const HttpParser& p = a.parser;
  const HttpParser& q = b.parser;
  require(p.head_size() == q.head_size() && p.field_bytes() == q.field_bytes(), "the same sizes");
  require(p.method() == q.method() && p.chunked() == q.chunked() &&
              p.content_length() == q.content_length() && p.keep_alive() == q.keep_alive() &&
              p.is_http_1_0() == q.is_http_1_0() && p.expects() == q.expects() &&
              p.expects_unknown() == q.expects_unknown(),
          "the same head");
  const Request r = p.request(message);
  const Request s = q.request(message);
  require(r.path == s.path && r.query == s.query && r.content_type == s.content_type &&
              r.authorization == s.authorization,
          "the same request");
}

void require_sane(const HttpParser& parser, std::string_view message) {
  const std::size_t head = parser.head_size();
  require(head <= message.size() && message.substr(0, head).ends_with("\r\n\r\n"),
          "a head ends with an empty line");
  require(parser.field_bytes() <= HttpParser::kMaxFieldLines + 2, "the limit of the field lines");
  require(!parser.chunked() || parser.content_length() == 0, "one framing");
  const Request request = parser.request(message);
  require(!request.path.empty() && request.path.size() <= HttpParser::kMaxTarget, "a path");
  for (const std::string_view value : {request.content_type, request.authorization}) {
    require(find_control_plainly(value, 0) == value.size(), "a value without controls");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input(data, size);
  const Outcome whole = parse(input.bytes, Steps(""));
  require_same(whole, parse(input.bytes, Steps("a")), input.bytes);
  require_same(whole, parse(input.bytes, Steps(input.controls)), input.bytes);
  require(whole.result.kind != ParseResult::kRefused || whole.result.status >= 400, "a status");
  if (whole.result.kind == ParseResult::kComplete) require_sane(whole.parser, input.bytes);
  return 0;
}
