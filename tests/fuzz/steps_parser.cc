#include "tests/fuzz/steps_parser.h"

// All that the parser's source includes, before the namespace begins.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "common/ascii.h"

#ifdef __SSE2__
#include <emmintrin.h>
#else
#define Step16 Step8  // the widest there is
#endif

namespace PARSER {

#include "common/http_parser.cc"  // NOLINT(bugprone-suspicious-include)

std::uint64_t outcome(std::string_view message, Steps steps) {
  const std::vector<char> exact(message.begin(), message.end());  // ASan sees a read past its end
  HttpParser parser;
  ParseResult result;
  for (std::size_t shown = 0; result.kind == ParseResult::kNeedMore && shown < message.size();) {
    shown += std::min(steps.next(), message.size() - shown);
    result = parser.parse({exact.data(), shown});
  }
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3U; };
  for (const int value : {static_cast<int>(result.kind), result.status, int{parser.started()},
                          static_cast<int>(parser.method())}) {
    add(static_cast<std::uint64_t>(value));
  }
  if (result.kind != ParseResult::kComplete) return hash;
  for (const std::uint64_t value :
       {std::uint64_t{parser.head_size()}, std::uint64_t{parser.field_bytes()},
        parser.content_length(), std::uint64_t{parser.chunked()},
        std::uint64_t{parser.keep_alive()}, std::uint64_t{parser.is_http_1_0()},
        std::uint64_t{parser.expects()}, std::uint64_t{parser.expects_unknown()}}) {
    add(value);
  }
  const Request request = parser.request({exact.data(), exact.size()});
  for (const std::string_view part :
       {request.path, request.query, request.content_type, request.authorization}) {
    add(part.size());
    for (const char c : part) add(static_cast<unsigned char>(c));
  }
  return hash;
}

}  // namespace PARSER
