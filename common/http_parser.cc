#include "common/http_parser.h"

#include <algorithm>
#include <array>
#include <bit>

#include "common/ascii.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace {

// ---- characters -------------------------------------------------------------------------------

enum : std::uint8_t { kToken = 1, kTarget = 2, kHost = 4 };

// token (RFC 9110, 5.6.2); visible ASCII for targets; reg-name and port characters (RFC
// 3986, 3.2.2).
constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto mark = [&](std::string_view characters, std::uint8_t kind) {
    for (const char c : characters) classes[static_cast<unsigned char>(c)] |= kind;
  };
  for (std::size_t c = 0x21; c <= 0x7e; ++c) classes[c] |= kTarget;
  mark("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kToken | kHost);
  mark("!#$%&'*+-.^_`|~", kToken);
  mark("-._~!$&'()*+,;=%", kHost);
  return classes;
}
constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

bool is(std::uint8_t kind, char c) { return (kClasses[static_cast<unsigned char>(c)] & kind) != 0; }

// How many characters of that kind `text` begins with.
std::size_t span_of(std::uint8_t kind, std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is(kind, text[n])) ++n;
  return n;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// ---- lines ------------------------------------------------------------------------------------

struct Line {
  enum Kind : std::uint8_t { kNeedMore, kComplete, kBad } kind = kNeedMore;
  std::size_t size = 0;  // without its CRLF
};

// The line that starts at `start`. `looked` remembers where the search stopped, for the next call.
Line find_line(std::string_view text, std::size_t start, std::uint32_t& looked) {
  const std::size_t end = find_control(text, looked);
  looked = static_cast<std::uint32_t>(end);
  if (end == text.size()) return {Line::kNeedMore};
  if (text[end] != '\r') return {Line::kBad};
  if (end + 1 == text.size()) return {Line::kNeedMore};
  if (text[end + 1] != '\n') return {Line::kBad};
  return {Line::kComplete, end - start};
}

// ---- values -----------------------------------------------------------------------------------

// uri-host [ ":" port ] (RFC 9110, section 7.2). Empty is allowed: a target without an authority.
bool valid_host(std::string_view value) {
  std::size_t host = 0;
  if (value.starts_with('[')) {
    host = value.find(']');
    if (host == std::string_view::npos || host == 1) return false;
    for (const char c : value.substr(1, host - 1)) {
      if (hex_value(c) < 0 && c != ':' && c != '.') return false;
    }
    ++host;
  } else {
    host = span_of(kHost, value);
    for (std::size_t i = value.find('%'); i < host; i = value.find('%', i + 1)) {
      if (i + 2 >= host || hex_value(value[i + 1]) < 0 || hex_value(value[i + 2]) < 0) return false;
    }
  }
  std::string_view port = value.substr(host);
  if (port.empty()) return true;
  if (!port.starts_with(':')) return false;
  port.remove_prefix(1);
  for (const char c : port) {
    if (!is_digit(c)) return false;
  }
  return host != 0;
}

Method method_of(std::string_view token) {
  switch (token.size()) {
    case 3:
      return token == "GET" ? Method::get : token == "PUT" ? Method::put : Method::unknown;
    case 4:
      return token == "POST" ? Method::post : token == "HEAD" ? Method::head : Method::unknown;
    case 5:
      return token == "PATCH" ? Method::patch : token == "TRACE" ? Method::trace : Method::unknown;
    case 6:
      return token == "DELETE" ? Method::delete_ : Method::unknown;
    case 7:
      return token == "OPTIONS"   ? Method::options
             : token == "CONNECT" ? Method::connect
                                  : Method::unknown;
    default:
      return Method::unknown;
  }
}

constexpr ParseResult refused(int status) { return {ParseResult::kRefused, status}; }

// The longest request line that is looked at: the longest target, a method, a version.
constexpr std::size_t kMaxRequestLine = HttpParser::kMaxTarget + 128;

}  // namespace

std::size_t find_control_portable(std::string_view text, std::size_t from) {
  while (from < text.size() && !is_control(text[from])) ++from;
  return from;
}

#ifdef __SSE2__
// 16 bytes a step: as unsigned bytes, min(b, 0x1f) == b finds everything up to 0x1f; tab is taken
// out of that, DEL is added.
std::size_t find_control(std::string_view text, std::size_t from) {
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; from + 16 <= text.size(); from += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low), _mm_cmpeq_epi8(bytes, del));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return from + static_cast<std::size_t>(std::countr_zero(mask));
  }
  return find_control_portable(text, from);
}
#else
std::size_t find_control(std::string_view text, std::size_t from) {
  return find_control_portable(text, from);
}
#endif

// Each line is judged when it is complete, in order, and the limits are windows over the bytes from
// the message's start: what is refused, and with which status, cannot depend on how bytes were cut.
ParseResult HttpParser::parse(std::string_view message) {
  while (true) {
    const std::size_t window =
        fields_ == 0 ? line_ + kMaxRequestLine : fields_ + kMaxFieldLines + 2;
    const Line found = find_line(message.substr(0, window), line_, looked_);
    if (found.kind == Line::kBad) return refused(400);
    if (found.kind == Line::kNeedMore) {
      if (message.size() < window) return {};
      return refused(fields_ == 0 ? 414 : 431);
    }
    const std::string_view line = message.substr(line_, found.size);
    if (const int status = parse_line(message, line); status != 0) return refused(status);
    looked_ += 2;
    line_ = looked_;
    if (line.empty() && fields_ != 0) return {ParseResult::kComplete};
    if (line.empty()) skipped_line_ = true;
    if (!line.empty() && fields_ == 0) fields_ = line_;
  }
}

int HttpParser::parse_line(std::string_view message, std::string_view line) {
  if (fields_ == 0 && line.empty()) return skipped_line_ ? 400 : 0;
  if (fields_ == 0) return parse_request_line(message, line);
  if (line.empty()) return check_head();
  if (looked_ + 2 > fields_ + kMaxFieldLines) return 431;
  return parse_field_line(message, line);
}

int HttpParser::parse_request_line(std::string_view message, std::string_view line) {
  const std::size_t method_size = span_of(kToken, line);
  if (method_size == 0 || method_size == line.size() || line[method_size] != ' ') return 400;
  method_ = method_of(line.substr(0, method_size));
  line.remove_prefix(method_size + 1);
  const std::size_t target_size = span_of(kTarget, line);
  if (target_size == 0 || target_size == line.size() || line[target_size] != ' ') return 400;
  if (target_size > kMaxTarget) return 414;
  const int status = parse_version(line.substr(target_size + 1));
  return status != 0 ? status : parse_target(message, line.substr(0, target_size));
}

int HttpParser::parse_version(std::string_view version) {
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7]) || version == "HTTP/0.9") {
    return 400;
  }
  minor_ = static_cast<std::uint8_t>(version[7] - '0');
  return version[5] == '1' ? 0 : 505;
}

// RFC 9112, section 3.2: origin-form, absolute-form, asterisk-form. What is kept is path and query.
int HttpParser::parse_target(std::string_view message, std::string_view target) {
  if (target.front() != '/' && method_ != Method::connect &&
      !(target == "*" && method_ == Method::options)) {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return 400;
    if (!equals_ignoring_case(target.substr(0, scheme), "http") &&
        !equals_ignoring_case(target.substr(0, scheme), "https")) {
      return 400;
    }
    target.remove_prefix(scheme + 3);
    const std::size_t authority = std::min(target.find_first_of("/?"), target.size());
    if (authority == 0 || !valid_host(target.substr(0, authority))) return 400;
    target.remove_prefix(authority);
  }
  target_ = {static_cast<std::uint16_t>(target.data() - message.data()),
             static_cast<std::uint16_t>(target.size())};
  return 0;
}

int HttpParser::parse_field_line(std::string_view message, std::string_view line) {
  const std::size_t name_size = span_of(kToken, line);
  if (name_size == 0 || name_size == line.size() || line[name_size] != ':') return 400;
  const std::string_view name = line.substr(0, name_size);
  const std::string_view value = trim(line.substr(name_size + 1));
  const Slice slice = {static_cast<std::uint16_t>(value.data() - message.data()),
                       static_cast<std::uint16_t>(value.size())};
  switch (name.size()) {  // few names share a length: most field lines cost no comparison
    case 4:
      if (!equals_ignoring_case(name, "host")) break;
      if (host_ || !valid_host(value)) return 400;
      host_ = true;
      break;
    case 6:
      if (!equals_ignoring_case(name, "expect")) break;
      expect_ = expect_ == Expect::none && equals_ignoring_case(value, "100-continue")
                    ? Expect::continue_
                    : Expect::unknown;
      break;
    case 10:
      if (equals_ignoring_case(name, "connection")) parse_connection(value);
      break;
    case 12:
      if (equals_ignoring_case(name, "content-type")) content_type_ = slice;
      break;
    case 13:
      if (equals_ignoring_case(name, "authorization")) authorization_ = slice;
      break;
    case 14:
      if (equals_ignoring_case(name, "content-length")) return parse_content_length(value);
      break;
    case 17:
      if (!equals_ignoring_case(name, "transfer-encoding")) break;
      transfer_encoding_ =
          transfer_encoding_ == Encoding::none && equals_ignoring_case(value, "chunked")
              ? Encoding::chunked
              : Encoding::unknown;
      break;
    default:
      break;
  }
  return 0;
}

int HttpParser::parse_content_length(std::string_view value) {
  if (length_ || value.empty()) return 400;
  length_ = true;
  for (const char c : value) {
    if (!is_digit(c)) return 400;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (content_length_ > (UINT64_MAX - digit) / 10) return 400;
    content_length_ = content_length_ * 10 + digit;
  }
  return 0;
}

void HttpParser::parse_connection(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trim(value.substr(0, comma));
    if (equals_ignoring_case(option, "close")) close_ = true;
    if (equals_ignoring_case(option, "keep-alive")) keep_alive_ = true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
}

// What only the whole head can tell. Two framings at once, or chunks in a version that has none, is
// how a request hides a second one from the next parser: refused before anything else is said.
int HttpParser::check_head() const {
  if (!host_ && minor_ > 0) return 400;
  if (transfer_encoding_ == Encoding::none) return 0;
  if (length_ || minor_ == 0) return 400;
  return transfer_encoding_ == Encoding::chunked ? 0 : 501;
}

Request HttpParser::request(std::string_view message) const {
  Request request;
  request.method = method_;
  request.path = target_.of(message);
  if (const std::size_t mark = request.path.find('?'); mark != std::string_view::npos) {
    request.query = request.path.substr(mark + 1);
    request.path = request.path.substr(0, mark);
  }
  if (request.path.empty()) request.path = "/";  // http://host, http://host?query
  request.content_type = content_type_.of(message);
  request.authorization = authorization_.of(message);
  return request;
}

ChunkedDecoder::Piece ChunkedDecoder::next(std::string_view raw) {
  if (state_ != State::data) return next_line(raw);
  const std::string_view data = raw.substr(0, chunk_);
  chunk_ -= static_cast<std::uint32_t>(data.size());
  if (chunk_ == 0) state_ = State::data_end;
  return {{}, data.size(), data};
}

// Everything that is not data is a line: chunk sizes, the empty line behind data, trailers, the
// end.
ChunkedDecoder::Piece ChunkedDecoder::next_line(std::string_view raw) {
  // A window per state, as in HttpParser::parse; "0123456789abcdef" is the longest size, with zeros
  // before it the line may still be as long as an extension line.
  const std::size_t window = state_ == State::trailer ? HttpParser::kMaxFieldLines + 2 - fields_
                             : state_ == State::size  ? kMaxExtensionLine + 2
                                                      : 2;
  const Line found = find_line(raw.substr(0, window), 0, looked_);
  const int too_long = state_ == State::trailer ? 431 : 400;
  if (found.kind == Line::kBad) return {refused(400)};
  if (found.kind == Line::kNeedMore)
    return {raw.size() < window ? ParseResult{} : refused(too_long)};
  const std::string_view line = raw.substr(0, found.size);
  const std::size_t used = line.size() + 2;
  looked_ = 0;
  int status = 0;
  switch (state_) {
    case State::size:
      status = parse_size_line(line);
      state_ = chunk_ != 0 ? State::data : State::trailer;
      break;
    case State::data_end:
      if (!line.empty()) status = 400;
      state_ = State::size;
      break;
    case State::trailer:
      if (line.empty()) return {{ParseResult::kComplete}, used};
      status = parse_trailer_line(line);
      break;
    case State::data:
      break;
  }
  return {status == 0 ? ParseResult{} : refused(status), used};
}

int ChunkedDecoder::parse_trailer_line(std::string_view line) {
  fields_ = static_cast<std::uint16_t>(fields_ + line.size() + 2);
  if (fields_ > HttpParser::kMaxFieldLines) return 431;
  const std::size_t name = span_of(kToken, line);
  return name == 0 || name == line.size() || line[name] != ':' ? 400 : 0;
}

// 1*HEXDIG [ BWS ";" anything ]. A size is cut off where it exceeds what is left of --max-body: it
// cannot overflow.
int ChunkedDecoder::parse_size_line(std::string_view line) {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size() && hex_value(line[digits]) >= 0; ++digits) {
    if (size <= room_) size = size * 16 + static_cast<std::uint64_t>(hex_value(line[digits]));
  }
  if (digits == 0) return 400;
  const std::string_view rest = line.substr(digits);
  if (!rest.empty() && !trim(rest).starts_with(';')) return 400;
  extensions_ += static_cast<std::uint32_t>(rest.size());
  if (extensions_ > kMaxExtensions) return 400;
  if (size > room_) return 413;
  chunk_ = static_cast<std::uint32_t>(size);
  room_ -= chunk_;
  return 0;
}
