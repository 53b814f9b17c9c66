#pragma once
// What stands in front of evhttp: the shared parser reads along, and says no where two parsers
// could read a request differently. evhttp's own is lenient (notes/05_evhttp.md has the list), and
// behind a proxy that is how requests are smuggled.
//
// No I/O: it is shown each byte of a connection once, in order, before evhttp sees it, or asked
// whether it needs to see it. What it lets pass evhttp frames as it does.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/buffer.h"
#include "common/http_parser.h"

class Guard {
 public:
  // `max_body` in bytes; `pool` outlives the guard.
  Guard(BufferPool& pool, std::uint32_t max_body) : max_body_(max_body), unread_(pool) {}

  // The next bytes. 0, or the status with which the request in progress must be refused; then
  // nothing more may be shown.
  int look(std::string_view bytes);
  // The next bytes, if all of them are inside a body: then they need not be shown.
  bool skip(std::size_t count);

  // How many good requests were complete before the one in progress.
  std::size_t complete() const { return complete_; }
  // Is the one in progress a HEAD? Its refusal has no body.
  bool is_head() const { return parser_.method() == Method::head; }

 private:
  ParseResult read_message();
  int judge_head() const;
  ParseResult skip_chunks();
  ParseResult skip_body();

  std::uint32_t max_body_;
  Buffer unread_;  // of a head, or of a chunk's line: what cannot be judged yet
  HttpParser parser_ = {};
  ChunkedDecoder chunks_ = ChunkedDecoder();
  std::uint64_t to_come_ = 0;  // of a body by length
  bool in_body_ = false;
  std::size_t complete_ = 0;
};
