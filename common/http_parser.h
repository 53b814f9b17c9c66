#pragma once
// The parser module: where an HTTP/1.1 message starts, what its head says, and which bytes are its
// body. RFC 9112; strict, because two parsers that disagree about where a message ends are how
// requests are smuggled.
//
// No I/O, no allocation, no copy: the parser is shown the bytes from the message's start, remembers
// how far it has looked for a line's end, and answers with views into them. Showing it one byte
// more at a time gives the same answer as showing it everything at once, and costs a call more for
// each: linear, not quadratic.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

enum class Method : std::uint8_t {
  unknown,
  get,
  head,
  post,
  put,
  delete_,
  connect,
  options,
  trace,
  patch,
};

// A complete request head (and, once the session has it, the body). Views into the parsed bytes.
struct Request {
  Method method = Method::unknown;
  std::string_view path;   // "/upper"; "*" for OPTIONS *; host:port for CONNECT
  std::string_view query;  // without the '?'
  std::string_view content_type;
  std::string_view authorization;
  std::string_view body;
};

// What a parsing step found. `status` is the refusal: 400, 413, 414, 431, 501 or 505.
struct ParseResult {
  enum Kind : std::uint8_t { kNeedMore, kComplete, kRefused } kind = kNeedMore;
  int status = 0;
};

class HttpParser {
 public:
  static constexpr std::size_t kMaxTarget = 8000;           // -> 414
  static constexpr std::size_t kMaxFieldLines = 16 * 1024;  // all of them, CRLFs included -> 431

  // `message` begins where the message begins and holds at least what the last call was shown.
  ParseResult parse(std::string_view message);

  // Has any byte of a request come? (An empty line before a request is not one.)
  bool started() const { return std::max(line_, looked_) > (skipped_line_ ? 2 : 0); }

  // The rest is known once parse() said kComplete.
  std::size_t head_size() const { return line_; }
  // Of the field lines, without the empty line behind them.
  std::size_t field_bytes() const { return static_cast<std::size_t>(line_ - fields_ - 2); }
  Request request(std::string_view message) const;
  bool chunked() const { return transfer_encoding_ == Encoding::chunked; }
  std::uint64_t content_length() const { return content_length_; }
  Method method() const { return method_; }
  bool is_http_1_0() const { return minor_ == 0; }
  bool keep_alive() const { return !close_ && (minor_ > 0 || keep_alive_); }
  bool expects() const { return expect_ != Expect::none && minor_ > 0; }
  bool expects_unknown() const { return expect_ == Expect::unknown && minor_ > 0; }

 private:
  struct Slice {  // offsets outlive the buffer's moves, views do not; a head is far below 64 KiB
    std::uint16_t at = 0;
    std::uint16_t size = 0;
    std::string_view of(std::string_view message) const { return {message.data() + at, size}; }
  };
  static inline Slice slice(std::size_t begin, std::size_t end);
  static inline Slice slice(std::string_view message, std::string_view part);
  // chunked last, and an unknown coding before it; `endless`: no list that can be followed.
  enum class Encoding : std::uint8_t { none, chunked, unknown, unknown_in_chunks, endless };
  enum class Expect : std::uint8_t { none, continue_, unknown };

  // Inline, and defined where they are used: each has one caller, on the path of every request.
  inline std::size_t window() const;
  [[gnu::noinline]] ParseResult unfinished(std::string_view seen, std::size_t end);
  int skip_line();
  inline int parse_request_line(std::string_view message, std::size_t begin, std::size_t end);
  std::size_t parse_other_method(std::string_view message, std::size_t begin);
  int parse_other_form(std::string_view message, std::string_view target);
  int parse_other_version(std::string_view version);
  inline int parse_field_line(std::string_view message, std::size_t begin, std::size_t end);
  int parse_host(std::string_view message, std::string_view value);
  int parse_authorization(std::string_view message, std::string_view value);
  int parse_content_length(std::string_view value);
  void parse_transfer_encoding(std::string_view value);
  void parse_connection(std::string_view value);
  void parse_expect(std::string_view value);
  inline int check_head() const;

  std::uint64_t content_length_ = 0;
  std::uint16_t line_ = 0;    // where the line being read starts; in the end, where the body starts
  std::uint16_t looked_ = 0;  // no control character before this one
  std::uint16_t fields_ = 0;  // where the field lines start; 0 while the request line is read
  Slice path_, query_, content_type_, authorization_;
  Method method_ = Method::unknown;
  std::uint8_t minor_ = 0;
  Encoding transfer_encoding_ = Encoding::none;
  Expect expect_ = Expect::none;
  bool skipped_line_ = false;
  bool host_ = false;
  bool length_ = false;
  bool close_ = false;
  bool keep_alive_ = false;
};

inline Request HttpParser::request(std::string_view message) const {
  const std::string_view path = path_.of(message);
  return {.method = method_,
          .path = path.empty() ? "/" : path,  // http://host, http://host?query
          .query = query_.of(message),
          .content_type = content_type_.of(message),
          .authorization = authorization_.of(message),
          .body = {}};
}

// Takes the chunks apart (RFC 9112, section 7.1). Shown the raw bytes it has not used yet, it
// names how many it used and which of them are data; the caller keeps the rest and shows it again.
class ChunkedDecoder {
 public:
  static constexpr std::size_t kMaxExtensionLine = 4 * 1024;
  static constexpr std::size_t kMaxExtensions = 64 * 1024;  // in one body

  // `max_body` in bytes; `field_bytes`: what the head has used of kMaxFieldLines.
  explicit ChunkedDecoder(std::uint32_t max_body = 0, std::size_t field_bytes = 0)
      : room_(max_body), fields_(static_cast<std::uint16_t>(field_bytes)) {}

  struct Piece {
    ParseResult result;
    std::size_t used = 0;
    std::string_view data = {};  // part of what was used
  };
  // Call again while `used` is not 0 and the result is kNeedMore.
  Piece next(std::string_view raw);
  // The next bytes, if all of them are data of one chunk and not its last: then they need not be
  // shown.
  bool skip(std::size_t count);

 private:
  enum class State : std::uint8_t { size, data, data_end, trailer };

  Piece next_line(std::string_view raw);
  int parse_size_line(std::string_view line);
  int parse_trailer_line(std::string_view line);

  std::uint32_t room_;       // what --max-body leaves
  std::uint32_t chunk_ = 0;  // bytes of the current chunk still to come
  std::uint16_t looked_ = 0;
  std::uint32_t extensions_ = 0;
  std::uint16_t fields_;  // field lines of the head and the trailer section together
  State state_ = State::size;
};

// The first byte of `text`, from `from` on, that may not stand inside a line: a control character
// other than tab. Everything is looked at once, and this decides both where a line ends and whether
// it is clean. text.size() if there is none.
std::size_t find_control(std::string_view text, std::size_t from);
