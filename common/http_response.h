#pragma once
// How a Response becomes bytes (RFC 9112, section 4; RFC 9110, sections 6 and 15).

#include <cstdint>
#include <string_view>

#include "common/buffer.h"
#include "common/context.h"

// An answer. Views only: into the request, the Context's scratch or static text.
struct Response {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view body = {};
  bool upper = false;          // the body is upper-cased on its way out
  std::string_view more = {};  // further field lines, each with its CRLF
};

enum class ConnectionOption : std::uint8_t { unsaid, close, keep_alive };

// "404 Not Found" and CRLF, as text/plain.
Response error_response(int status, std::string_view more = {});

// Appends head and body; with `head_only` the head alone, which still tells the body's length.
void render(Buffer& out, const Response& response, Date& date, ConnectionOption connection,
            bool head_only);
