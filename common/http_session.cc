#include "common/http_session.h"

#include <algorithm>
#include <cstring>

Phase HttpSession::advance(Buffer& out, bool last) {
  while (!in_.empty()) {
    if (out.size() >= kHighWater) return phase();
    const ParseResult found = read_message(out, last);
    if (found.kind == ParseResult::kComplete) {
      answer(out, last);
    } else if (found.kind == ParseResult::kRefused) {
      refuse(out, found.status);
    } else {
      break;
    }
  }
  // No further request can become complete: the peer has ended its side, or the server drains and
  // there is not even the beginning of one.
  if (!finished() && (eof_ || (last && !parser_.started()))) finish_silently(out);
  return phase();
}

ParseResult HttpSession::read_message(Buffer& out, bool last) {
  if (head_ == 0) {
    const ParseResult head = read_head(out, last);
    if (head.kind != ParseResult::kComplete) return head;
  }
  const ParseResult body = parser_.chunked() ? read_chunks() : read_body();
  if (answered_early_) {
    in_.erase(head_, body_);
    body_ = 0;
  }
  return body;
}

ParseResult HttpSession::read_head(Buffer& out, bool last) {
  const ParseResult head = parser_.parse(in_.view());
  if (head.kind != ParseResult::kComplete) return head;
  const std::uint64_t length = parser_.content_length();
  if (length > context_.app.max_body) return {ParseResult::kRefused, 413};
  head_ = static_cast<std::uint32_t>(parser_.head_size());
  to_come_ = static_cast<std::uint32_t>(length);
  if (parser_.chunked()) chunks_ = ChunkedDecoder(context_.app.max_body, parser_.field_bytes());
  if (!parser_.expects() || (length == 0 && !parser_.chunked())) return head;
  return meet_expectation(out, last);
}

// The client waits for a word before it sends the body: the final one if there is no use for the
// body, and none at all if the body is already on its way.
ParseResult HttpSession::meet_expectation(Buffer& out, bool last) {
  const std::optional<Response> refused =
      parser_.expects_unknown() ? error_response(417)
                                : refuse_unread(parser_.request(in_.view()), context_.app);
  if (refused) {
    const bool nothing_behind = in_.size() <= head_ + to_come_;  // 0 to come, if it is chunked
    // What closes does not wait for a body that is only going to be dropped.
    const bool close = !parser_.keep_alive() || (last && nothing_behind);
    say(out, *refused, close);
    if (close) {
      finish();
      return {};
    }
    answered_early_ = true;
  } else if (in_.size() == head_) {
    out.append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return {ParseResult::kComplete};
}

ParseResult HttpSession::read_body() {
  if (to_come_ == 0) return {ParseResult::kComplete};
  const auto unread = static_cast<std::uint32_t>(in_.size()) - head_ - body_;
  const std::uint32_t fresh = std::min(unread, to_come_);
  body_ += fresh;
  to_come_ -= fresh;
  // One block for head and body, so that a megabyte is not moved each time it grows.
  if (to_come_ > BufferPool::kBlockSize && !answered_early_)
    in_.room(to_come_ + BufferPool::kBlockSize);
  return {to_come_ == 0 ? ParseResult::kComplete : ParseResult::kNeedMore};
}

// Decodes in place: data moves down over the chunk lines in front of it, so the body ends up
// contiguous and no second copy of it exists.
ParseResult HttpSession::read_chunks() {
  std::size_t from = head_ + body_;
  ChunkedDecoder::Piece piece;
  do {
    piece = chunks_.next(in_.view().substr(from));
    if (!piece.data.empty()) {
      std::memmove(in_.bytes().data() + head_ + body_, piece.data.data(), piece.data.size());
      body_ += static_cast<std::uint32_t>(piece.data.size());
    }
    from += piece.used;
  } while (piece.result.kind == ParseResult::kNeedMore && piece.used != 0);
  in_.erase(head_ + body_, from - head_ - body_);
  return piece.result;
}

void HttpSession::answer(Buffer& out, bool last) {
  Request request = parser_.request(in_.view());
  request.body = {in_.view().data() + head_, body_};
  bool close = !parser_.keep_alive() || (last && !another_begins());
  if (!answered_early_) {
    const Response response =
        parser_.expects_unknown() ? error_response(417) : respond(request, context_);
    close = close || response.status == 400;
    say(out, response, close);
  }
  in_.consume(head_ + body_);
  parser_ = HttpParser();
  head_ = body_ = 0;
  answered_early_ = false;
  if (close) finish();
}

// An empty line is not the beginning of another request.
bool HttpSession::another_begins() const {
  return !std::string_view("\r\n").starts_with(in_.view().substr(head_ + body_));
}

void HttpSession::say(Buffer& out, const Response& response, bool close) {
  const auto option = close                   ? ConnectionOption::close
                      : parser_.is_http_1_0() ? ConnectionOption::keep_alive
                                              : ConnectionOption::unsaid;
  render(out, response, context_.date, option, parser_.method() == Method::head);
  context_.stats.requests.add(1);
  answered();
}

// The framing is lost, or the peer is not worth waiting for: nothing behind this can be understood.
void HttpSession::refuse(Buffer& out, int status) {
  if (!answered_early_) say(out, error_response(status), true);
  finish();
}

bool HttpSession::expire(Buffer& out) {
  if (finished() || answered_early_ || !parser_.started()) return false;
  refuse(out, 408);
  return true;
}
