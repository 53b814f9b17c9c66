#pragma once
// HTTP/1.1 on one connection: the parser finds the requests, the routes answer them, this decides
// in which order, when to say 100, and which answer is the last (RFC 9112, section 9; RFC
// 9110, 10.1.1).

#include "common/http_parser.h"
#include "common/routes.h"
#include "common/session.h"

class HttpSession : public Session {
 public:
  explicit HttpSession(Context& context) : Session(context, false) {}
  Phase advance(Buffer& out, bool last) override;
  // 408 if a request has begun. Its time runs from the last answer, not from its own first byte.
  bool expire(Buffer& out) override;

 private:
  // What is inline is on the path of every request, and defined where it is used.
  // A message stands in in_, contiguous: its head, then as much of its body as has come, decoded.
  inline ParseResult read_message(Buffer& out, bool last);
  inline ParseResult read_head(Buffer& out, bool last);
  inline ParseResult read_body();
  ParseResult read_chunks();
  ParseResult meet_expectation(Buffer& out, bool last);

  inline void answer(Buffer& out, bool last);
  inline void say(Buffer& out, const Response& response, bool close);
  bool another_begins() const;
  void refuse(Buffer& out, int status);

  HttpParser parser_;
  ChunkedDecoder chunks_;
  std::uint32_t head_ = 0;       // size of the head; 0 while it is incomplete
  std::uint32_t body_ = 0;       // bytes of the body that stand behind it
  std::uint32_t to_come_ = 0;    // with Content-Length: body bytes not yet seen
  bool answered_early_ = false;  // refused before the body came: it is dropped as it comes
};
