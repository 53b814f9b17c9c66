#pragma once
// What is measured in common/: the same work, timed by parser_bench.cc and counted by
// instructions.cc.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/ascii.h"
#include "common/http_parser.h"
#include "common/http_session.h"
#include "common/text_session.h"

namespace workload {

// 45, 107 and 703 bytes: the least, what curl sends, what a browser sends.
constexpr std::string_view kLeast = "GET /hello HTTP/1.1\r\nHost: localhost:8001\r\n\r\n";
constexpr std::string_view kCurl =
    "GET /upper?text=hello%20wide%20wor HTTP/1.1\r\n"
    "Host: localhost:8001\r\n"
    "User-Agent: curl/7.88.1\r\n"
    "Accept: */*\r\n\r\n";
constexpr std::string_view kBrowser =
    "GET /upper?text=what+a+browser+sends HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Referer: http://www.example.com/\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Cookie: session="
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    "0123456789abcdef01234567"
    "; theme=dark\r\n\r\n";
static_assert(kLeast.size() == 45 && kCurl.size() == 107 && kBrowser.size() == 703);

inline std::string repeat(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

// Nearly as much as is accepted: 16 KiB of field lines.
inline std::string large_head() {
  return "GET /hello HTTP/1.1\r\nHost: a\r\n" +
         repeat("X-Some-Header: the quick brown fox jumps over the lazy dog\r\n", 270) + "\r\n";
}

// 16 chunks of 64 bytes.
inline std::string chunked_body() {
  return repeat("40\r\n" + std::string(64, 'x') + "\r\n", 16) + "0\r\n\r\n";
}

// Makes the compiler believe that somebody looks at `value`.
template <typename T>
void use(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

inline void parse(std::string_view head) {
  HttpParser parser;
  use(parser.parse(head));
  use(parser.request(head));
}

inline void parse_byte_by_byte(std::string_view head) {
  HttpParser parser;
  for (std::size_t seen = 1; seen <= head.size(); ++seen) use(parser.parse(head.substr(0, seen)));
  use(parser.request(head));
}

inline void decode(std::string_view body) {
  ChunkedDecoder decoder(1 << 20);
  ChunkedDecoder::Piece piece;
  do {
    piece = decoder.next(body);
    use(piece);
    body.remove_prefix(piece.used);
  } while (piece.result.kind == ParseResult::kNeedMore && piece.used != 0);
}

inline void upper(std::string& text) {
  ascii_upper(text, text.data());
  use(text);
}

// A connection without its socket: what arrives is answered, and the kernel takes it at once.
template <typename AnySession>
class Conversation {
 public:
  explicit Conversation(std::string input) : input_(std::move(input)) {
    app_.stage = app_.page = "bench";
    app_.stats = {&stats_, 1};
  }
  void operator()() {
    session_.feed(input_);
    session_.advance(out_, false);
    use(out_);
    const std::size_t size = out_.size();
    out_.consume(size);
    session_.sent(size, true);
  }

 private:
  std::string input_;
  App app_;
  Stats stats_;
  Context context_{app_, stats_};
  AnySession session_{context_};
  Buffer out_{context_.pool};
};

}  // namespace workload
