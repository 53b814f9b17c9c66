#include "04_bufferevent_http/guard.h"

#include <algorithm>

namespace {

// evhttp leaves spaces out in front of a value, and a tab in: to it "\tchunked" is no coding.
bool has_tab_before_value(std::string_view head) {
  while (true) {
    head.remove_prefix(head.find("\r\n") + 2);
    if (head.size() <= 2) return false;  // the empty line
    if (head[head.find_first_not_of(' ', head.find(':') + 1)] == '\t') return true;
  }
}

}  // namespace

int Guard::look(std::string_view bytes) {
  unread_.append(bytes);
  while (!unread_.empty()) {
    const ParseResult found = read_message();
    if (found.kind == ParseResult::kRefused) return found.status;
    if (found.kind == ParseResult::kNeedMore) return 0;
    ++complete_;
    in_body_ = false;
    parser_ = HttpParser();
  }
  return 0;
}

bool Guard::skip(std::size_t count) {
  if (!in_body_) return false;
  if (parser_.chunked()) return chunks_.skip(count);
  if (count >= to_come_) return false;  // the end is to be seen
  to_come_ -= count;
  return true;
}

ParseResult Guard::read_message() {
  if (!in_body_) {
    const ParseResult head = parser_.parse(unread_.view());
    if (head.kind != ParseResult::kComplete) return head;
    if (const int status = judge_head()) return {ParseResult::kRefused, status};
    unread_.consume(parser_.head_size());
    to_come_ = parser_.content_length();
    // No room for a trailer: evhttp takes one for fields of the head.
    chunks_ = ChunkedDecoder(max_body_, HttpParser::kMaxFieldLines);
    in_body_ = true;
  }
  return parser_.chunked() ? skip_chunks() : skip_body();
}

// evhttp reads no body of a HEAD or a TRACE: it would take it for the next request.
int Guard::judge_head() const {
  if (has_tab_before_value(unread_.view().substr(0, parser_.head_size()))) return 400;
  if (parser_.content_length() > max_body_) return 413;
  if (parser_.expects_unknown()) return 417;
  const bool unread = is_head() || parser_.method() == Method::trace;
  return unread && (parser_.content_length() != 0 || parser_.chunked()) ? 400 : 0;
}

ParseResult Guard::skip_chunks() {
  ChunkedDecoder::Piece piece;
  do {
    piece = chunks_.next(unread_.view());
    unread_.consume(piece.used);
  } while (piece.result.kind == ParseResult::kNeedMore && piece.used != 0);
  return piece.result;
}

ParseResult Guard::skip_body() {
  const std::uint64_t here = std::min<std::uint64_t>(unread_.size(), to_come_);
  unread_.consume(here);
  to_come_ -= here;
  return {to_come_ == 0 ? ParseResult::kComplete : ParseResult::kNeedMore};
}
