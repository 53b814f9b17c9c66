// ChunkedDecoder: the same data and the same verdict however the bytes are cut, never more data
// than --max-body, and what is encoded decodes to itself.

#include <string>

#include "common/http_parser.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::uint32_t kMaxBody = 4 * 1024;

struct Outcome {
  bool operator==(const Outcome&) const = default;
  std::string data;
  ParseResult::Kind kind = ParseResult::kNeedMore;
  int status = 0;
  std::size_t used = 0;
};

// As HttpSession does it: what was not used is shown again, together with what came since.
Outcome decode(std::string_view raw, Steps steps) {
  Outcome outcome;
  ChunkedDecoder decoder(kMaxBody);
  std::size_t shown = 0;
  while (outcome.kind == ParseResult::kNeedMore && shown < raw.size()) {
    shown += std::min(steps.next(), raw.size() - shown);
    while (outcome.kind == ParseResult::kNeedMore) {
      // A copy of its own, so that a read behind the end is one behind an allocation.
      const std::string unused(raw.substr(outcome.used, shown - outcome.used));
      const ChunkedDecoder::Piece piece = decoder.next(unused);
      require(piece.used <= unused.size(), "only what is there can be used");
      require(piece.data.empty() ||
                  (piece.data.data() >= unused.data() &&
                   piece.data.data() + piece.data.size() <= unused.data() + piece.used),
              "data is part of what was used");
      outcome.data.append(piece.data);
      outcome.kind = piece.result.kind;
      outcome.status = piece.result.status;
      if (outcome.kind != ParseResult::kRefused) outcome.used += piece.used;
      if (piece.used == 0) break;
    }
  }
  require(outcome.data.size() <= kMaxBody, "no more data than --max-body");
  return outcome;
}

std::string encode(std::string_view body, Steps sizes) {
  std::string raw;
  while (!body.empty()) {
    const std::string_view chunk = body.substr(0, sizes.next());
    char line[32];
    std::snprintf(line, sizeof line, "%zx\r\n", chunk.size());
    raw.append(line).append(chunk).append("\r\n");
    body.remove_prefix(chunk.size());
  }
  return raw + "0\r\n\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input(data, size);
  const Outcome whole = decode(input.bytes, Steps(""));
  require(whole == decode(input.bytes, finest(input.bytes.size())), "byte by byte: the same");
  require(whole == decode(input.bytes, Steps(input.controls)), "in pieces: the same");

  const std::string_view body = input.bytes.substr(0, kMaxBody);
  const std::string raw = encode(body, Steps(input.controls));
  const Outcome back = decode(raw + "GET / ", finest(raw.size()));
  require(back.kind == ParseResult::kComplete && back.data == body && back.used == raw.size(),
          "what is encoded decodes to itself, and the next request is left alone");
  return 0;
}
