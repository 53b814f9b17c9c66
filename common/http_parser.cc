#include "common/http_parser.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "common/ascii.h"
#include "common/scan.h"

namespace {

// ---- characters -------------------------------------------------------------------------------

enum : std::uint8_t { kToken = 1, kHost = 2 };

// token (RFC 9110, 5.6.2); reg-name characters (RFC 3986, 3.2.2).
constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto mark = [&](std::string_view characters, std::uint8_t kind) {
    for (const char c : characters) classes[static_cast<unsigned char>(c)] |= kind;
  };
  mark("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kToken | kHost);
  mark("!#$%&'*+-.^_`|~", kToken);
  mark("-._~!$&'()*+,;=", kHost);
  return classes;
}
constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

bool is(std::uint8_t kind, char c) { return (kClasses[static_cast<unsigned char>(c)] & kind) != 0; }

// What steps look for. Most of a head is printable, and what ends a line is a control, which tab is
// not; a target is visible ASCII, but a fragment is for the client alone; a path ends at its query
// or at an escape; most names are of letters and '-', most hosts of those, digits and dots.
constexpr auto kUnprintable = [](auto step) { return step.outside(' ', '~'); };
constexpr auto kControl = [](auto step) {
  return (~step.outside(0, 0x1f) & ~step.is('\t')) | step.is(0x7f);
};
constexpr auto kTargetEnd = [](auto step) { return step.outside('!', '~') | step.is('#'); };
constexpr auto kPathEnd = [](auto step) { return kTargetEnd(step) | step.is('?') | step.is('%'); };
constexpr auto kNameEnd = [](auto step) { return step.lower().outside('a', 'z') & ~step.is('-'); };
constexpr auto kHostEnd = [](auto step) {
  return step.lower().outside('a', 'z') & (step.outside('-', '9') | step.is('/'));
};

// Where the characters of that kind end that begin at `from`. No end is checked: what is scanned is
// part of a line, behind which stand blanks or a CR, and those are of no kind.
std::size_t skip_in(std::uint8_t kind, std::string_view text, std::size_t from) {
  while (is(kind, text.data()[from])) ++from;
  return from;
}

// The same where most are simple, and such are taken a step at a time. What a step cannot answer (a
// long name, a character that is seldom in one) is left to the table.
template <typename Kind>
std::size_t skip_simple(Kind end, std::uint8_t kind, std::string_view text, std::size_t from) {
  if (from + Step::kBytes <= text.size()) {
    from += Step::first(Step::hits(end(Step(text.data() + from))));
    if (text.data()[from] == ':') return from;
  }
  return skip_in(kind, text, from);
}

// Does a %XX escape begin there?
inline bool is_escape(std::string_view text, std::size_t at) {
  const char* c = text.data() + at;
  return c[0] == '%' && hex_value(c[1]) >= 0 && hex_value(c[2]) >= 0;
}

// Where the path ends. A '%' that begins no escape is where it ends.
inline std::size_t skip_path(std::string_view message, std::size_t from) {
  for (;; from += 3) {
    from = find(kPathEnd, message, from);
    if (!is_escape(message, from)) return from;
  }
}

std::string_view between(std::string_view text, std::size_t begin, std::size_t end) {
  return {text.data() + begin, end - begin};
}

// ---- lines ------------------------------------------------------------------------------------

constexpr ParseResult refused(int status) { return {ParseResult::kRefused, status}; }

inline bool is_crlf(std::string_view text, std::size_t at) {
  return at + 1 < text.size() && std::memcmp(text.data() + at, "\r\n", 2) == 0;
}

// Of a line whose CRLF is not seen: `end` is its first control, or all that is seen ends there.
inline ParseResult without_end(std::string_view seen, std::size_t end, std::size_t window,
                               int too_long) {
  if (end + 1 < seen.size() || (end < seen.size() && seen[end] != '\r')) return refused(400);
  return seen.size() < window ? ParseResult{} : refused(too_long);
}

// Moves `looked` to the CR that ends the line it is in. The line must end within the first `window`
// bytes; if it cannot, the refusal is `too_long`.
inline ParseResult find_line_end(std::string_view text, std::size_t window, std::uint16_t& looked,
                                 int too_long) {
  const std::string_view seen = text.substr(0, window);
  const std::size_t end = is_crlf(seen, looked) ? looked : find_control(seen, looked);
  looked = static_cast<std::uint16_t>(end);
  return is_crlf(seen, end) ? ParseResult{ParseResult::kComplete}
                            : without_end(seen, end, window, too_long);
}

// ---- values -----------------------------------------------------------------------------------

// What stands between the brackets of a host: an IPv6 address, or one of a kind still to come: "v",
// a hexadecimal version, ".", its text (RFC 3986, 3.2.2).
[[gnu::noinline]] bool valid_address(std::string_view text) {
  if (text.starts_with('v') || text.starts_with('V')) {
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos || dot == 1 || dot + 1 == text.size()) return false;
    const auto in_text = [](char c) { return c == ':' || is(kHost, c); };
    return std::ranges::all_of(text.substr(1, dot - 1), [](char c) { return hex_value(c) >= 0; }) &&
           std::ranges::all_of(text.substr(dot + 1), in_text);
  }
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  text.copy(terminated.data(), text.size());
  in6_addr address;
  return inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

// Where the host ends that is an address in brackets, or has %XX escapes; `from` if it is none.
[[gnu::noinline]] std::size_t skip_unusual_host(std::string_view line, std::size_t from) {
  if (line.data()[from] == '[') {
    const std::size_t end = line.find(']', from);
    return end != line.npos && valid_address(between(line, from + 1, end)) ? end + 1 : from;
  }
  for (std::size_t at = from;; at += 3) {
    at = skip_in(kHost, line, at);
    if (!is_escape(line, at)) return at;
  }
}

// uri-host [ ":" port ] (RFC 9110, section 7.2). Empty is allowed: a target without an authority.
// `value` is part of `message`.
inline bool valid_host(std::string_view message, std::string_view value) {
  const auto begin = static_cast<std::size_t>(value.data() - message.data());
  const std::size_t end = begin + value.size();
  std::size_t host = skip_simple(kHostEnd, kHost, message, begin);
  if (host == end) return true;
  if (message[host] != ':') host = skip_unusual_host(message.substr(0, end), begin);
  if (host == end) return true;
  if (host == begin || message[host] != ':') return false;
  std::size_t port = host + 1;
  while (is_digit(message[port])) ++port;
  return port == end;
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

// The longest request line that is looked at: the longest target, a method, a version.
constexpr std::size_t kMaxRequestLine = HttpParser::kMaxTarget + 128;

}  // namespace

std::size_t find_control(std::string_view text, std::size_t from) {
  return find(kControl, text, from);
}

// Each line is judged when it is complete, in order, and the limits are windows over the bytes from
// the message's start: what is refused, and with which status, cannot depend on how bytes were cut.
ParseResult HttpParser::parse(std::string_view message) {
  std::string_view seen = message.substr(0, window());
  for (std::size_t from = looked_;; from = line_) {
    // One look tells the empty line, and most others are printable to their end: the short
    // questions are asked first.
    std::size_t end = from;
    if (!is_crlf(seen, from)) {
      end = find(kUnprintable, seen, from);
      if (!is_crlf(seen, end)) {
        if (end < seen.size()) end = find_control(seen, end);  // behind a tab, or UTF-8
        if (!is_crlf(seen, end)) return unfinished(seen, end);
      }
    }
    const std::size_t begin = line_;
    line_ = static_cast<std::uint16_t>(end + 2);
    int status = 0;
    if (fields_ != 0) {
      if (begin == end) break;
      status = parse_field_line(seen, begin, end);
    } else {
      status = begin == end ? skip_line() : parse_request_line(seen, begin, end);
      seen = message.substr(0, window());
    }
    if (status != 0) return refused(status);
  }
  const int status = check_head();
  return status == 0 ? ParseResult{ParseResult::kComplete} : refused(status);
}

// How many bytes may be looked at, from the message's start, before the line that is read must end.
std::size_t HttpParser::window() const {
  return fields_ == 0 ? line_ + kMaxRequestLine : fields_ + kMaxFieldLines + 2;
}

// A line that does not end, or not yet.
ParseResult HttpParser::unfinished(std::string_view seen, std::size_t end) {
  looked_ = static_cast<std::uint16_t>(end);
  // A refusal may come before the line is complete, and a HEAD must not get a body even then.
  const std::string_view line(seen.data() + line_, seen.size() - line_);
  if (fields_ == 0 && line.starts_with("HEAD ")) method_ = Method::head;
  return without_end(seen, end, window(), fields_ == 0 ? 414 : 431);
}

// One empty line before a request is forgiven (RFC 9112, section 2.2).
int HttpParser::skip_line() { return std::exchange(skipped_line_, true) ? 400 : 0; }

int HttpParser::parse_request_line(std::string_view message, std::size_t begin, std::size_t end) {
  fields_ = line_;
  std::size_t target = begin + 4;
  if (between(message, begin, end).starts_with("GET ")) {
    method_ = Method::get;
  } else {
    target = parse_other_method(message, begin);
    if (target == begin) return 400;
  }
  const std::size_t path = skip_path(message, target);
  path_ = slice(target, path);
  std::size_t behind = path;
  if (message[path] == '?') {
    behind = find(kTargetEnd, message, path + 1);
    query_ = slice(path + 1, behind);
  }
  if (behind == target || message[behind] != ' ') return 400;
  if (behind - target > kMaxTarget) return 414;
  const std::string_view version = between(message, behind + 1, end);
  minor_ = 1;
  if (version != "HTTP/1.1") {
    if (const int status = parse_other_version(version); status != 0) return status;
  }
  return message[target] == '/' ? 0 : parse_other_form(message, between(message, target, behind));
}

// Where the target begins; `begin` if no method stands there.
std::size_t HttpParser::parse_other_method(std::string_view message, std::size_t begin) {
  const std::size_t end = skip_in(kToken, message, begin);
  if (end == begin || message[end] != ' ') return begin;
  method_ = method_of(between(message, begin, end));
  return end + 1;
}

int HttpParser::parse_other_version(std::string_view version) {
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7]) || version == "HTTP/0.9") {
    return 400;
  }
  minor_ = static_cast<std::uint8_t>(version[7] - '0');
  return version[5] == '1' ? 0 : 505;
}

// What does not begin with '/' (RFC 9112, section 3.2): asterisk-form, CONNECT's authority-form,
// and absolute-form, of which path and query are kept.
int HttpParser::parse_other_form(std::string_view message, std::string_view target) {
  if (method_ == Method::connect || (method_ == Method::options && target == "*")) return 0;
  const std::size_t scheme = std::min(target.find("://"), target.size());
  if (!equals_ignoring_case(target.substr(0, scheme), "http") &&
      !equals_ignoring_case(target.substr(0, scheme), "https")) {
    return 400;
  }
  target.remove_prefix(std::min(scheme + 3, target.size()));
  const std::size_t authority = std::min(target.find_first_of("/?"), target.size());
  if (authority == 0 || !valid_host(message, target.substr(0, authority))) return 400;
  target.remove_prefix(authority);
  const std::size_t query = std::min(target.find('?'), target.size());
  path_ = slice(message, target.substr(0, query));
  query_ = slice(message, target.substr(std::min(query + 1, target.size())));
  return 0;
}

void HttpParser::parse_expect(std::string_view value) {
  const bool known = expect_ == Expect::none && equals_ignoring_case(value, "100-continue");
  expect_ = known ? Expect::continue_ : Expect::unknown;
}

int HttpParser::parse_field_line(std::string_view message, std::size_t begin, std::size_t end) {
  if (line_ - fields_ > static_cast<int>(kMaxFieldLines)) return 431;
  const std::size_t colon = skip_simple(kNameEnd, kToken, message, begin);
  if (colon == begin || message[colon] != ':') return 400;
  const std::string_view name = between(message, begin, colon);
  const auto value = [&] { return trim(between(message, colon + 1, end)); };
  switch (name.size()) {  // few names share a length: most field lines cost no comparison
    case 4:
      return equals_ignoring_case(name, "host") ? parse_host(message, value()) : 0;
    case 6:
      if (equals_ignoring_case(name, "expect")) parse_expect(value());
      break;
    case 10:
      if (equals_ignoring_case(name, "connection")) parse_connection(value());
      break;
    case 12:
      if (equals_ignoring_case(name, "content-type")) content_type_ = slice(message, value());
      break;
    case 13:
      return equals_ignoring_case(name, "authorization") ? parse_authorization(message, value())
                                                         : 0;
    case 14:
      return equals_ignoring_case(name, "content-length") ? parse_content_length(value()) : 0;
    case 17:
      if (equals_ignoring_case(name, "transfer-encoding")) parse_transfer_encoding(value());
      break;
    default:
      break;
  }
  return 0;
}

int HttpParser::parse_host(std::string_view message, std::string_view value) {
  if (host_ || !valid_host(message, value)) return 400;
  host_ = true;
  return 0;
}

int HttpParser::parse_authorization(std::string_view message, std::string_view value) {
  if (authorization_.at != 0) return 400;
  authorization_ = slice(message, value);
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

// A list of codings, on one line or several. Where chunked is not the last, or stands twice, nobody
// can say where the body ends (RFC 9112, sections 6.3 and 7.1).
void HttpParser::parse_transfer_encoding(std::string_view value) {
  for (std::size_t at = 0; at <= value.size();) {
    const std::size_t comma = std::min(value.find(',', at), value.size());
    const std::string_view coding = trim(value.substr(at, comma - at));
    const bool first = transfer_encoding_ == Encoding::none;
    at = comma + 1;
    if (coding.empty() || !is(kToken, coding.front()) ||
        (!first && transfer_encoding_ != Encoding::unknown)) {
      transfer_encoding_ = Encoding::endless;
    } else if (equals_ignoring_case(coding, "chunked")) {
      transfer_encoding_ = first ? Encoding::chunked : Encoding::unknown_in_chunks;
    } else {
      transfer_encoding_ = Encoding::unknown;
    }
  }
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
  if (transfer_encoding_ == Encoding::chunked) return 0;
  return transfer_encoding_ == Encoding::unknown_in_chunks ? 501 : 400;
}

HttpParser::Slice HttpParser::slice(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)};
}

HttpParser::Slice HttpParser::slice(std::string_view message, std::string_view part) {
  const auto begin = static_cast<std::size_t>(part.data() - message.data());
  return slice(begin, begin + part.size());
}

ChunkedDecoder::Piece ChunkedDecoder::next(std::string_view raw) {
  if (state_ != State::data) return next_line(raw);
  const std::string_view data = raw.substr(0, chunk_);
  chunk_ -= static_cast<std::uint32_t>(data.size());
  if (chunk_ == 0) state_ = State::data_end;
  return {{}, data.size(), data};
}

bool ChunkedDecoder::skip(std::size_t count) {
  if (state_ != State::data || count >= chunk_) return false;
  chunk_ -= static_cast<std::uint32_t>(count);
  return true;
}

// Everything that is not data is a line: chunk sizes, the empty line behind data, trailers, the
// end.
ChunkedDecoder::Piece ChunkedDecoder::next_line(std::string_view raw) {
  // A window per state, as in HttpParser::parse; "0123456789abcdef" is the longest size, with zeros
  // before it the line may still be as long as an extension line.
  const std::size_t window = state_ == State::trailer ? HttpParser::kMaxFieldLines + 2 - fields_
                             : state_ == State::size  ? kMaxExtensionLine + 2
                                                      : 2;
  const ParseResult found =
      find_line_end(raw, window, looked_, state_ == State::trailer ? 431 : 400);
  if (found.kind != ParseResult::kComplete) return {found};
  const std::string_view line = raw.substr(0, looked_);
  const std::size_t used = line.size() + 2;
  looked_ = 0;
  int status = 0;
  switch (state_) {
    case State::size:
      status = parse_size_line(line);
      state_ = chunk_ != 0 ? State::data : State::trailer;
      break;
    case State::data_end:  // the window holds no line but an empty one
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
  const std::size_t name = skip_in(kToken, line, 0);
  return name == 0 || name == line.size() || line[name] != ':' ? 400 : 0;
}

// A quoted value that is not closed is none: what it would swallow is for another parser a line
// end.
bool closes_its_quotes(std::string_view extensions) {
  bool quoted = false;
  for (std::size_t at = 0; at < extensions.size(); ++at) {
    if (extensions[at] == '"') quoted = !quoted;
    if (extensions[at] == '\\' && quoted) ++at;
  }
  return !quoted;
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
  if (!rest.empty() && (!trim(rest).starts_with(';') || !closes_its_quotes(rest))) return 400;
  extensions_ += static_cast<std::uint32_t>(rest.size());
  if (extensions_ > kMaxExtensions) return 400;
  if (size > room_) return 413;
  chunk_ = static_cast<std::uint32_t>(size);
  room_ -= chunk_;
  return 0;
}
