#pragma once
// The head of an answer, read before evhttp reads it (RFC 9112, sections 4 and 6.3).
//
// evhttp 2.1 knows no interim answer but 100, and no chunk extensions; of two lengths it takes the
// first; it takes "2xx" for a status; and it reads until the connection's end only where there is
// no Connection field. So it is shown a head that it cannot misread.

#include <string>
#include <string_view>

struct ResponseHead {
  int status = 0;          // 0: this is no head of an answer that could be understood
  bool chunked = false;    // the body; its length is then not in `plain`
  std::string plain = {};  // for evhttp: the same without what it would misread
};

// `head` with its empty line.
ResponseHead parse_response_head(std::string_view head);
