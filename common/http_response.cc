#include "common/http_response.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/ascii.h"

namespace {

// "HTTP/1.1 ", the code, the reason phrase, CRLF, of all that is not 200.
std::string_view status_line(int status) {
  switch (status) {
    case 204:
      return "HTTP/1.1 204 No Content\r\n";
    case 400:
      return "HTTP/1.1 400 Bad Request\r\n";
    case 401:
      return "HTTP/1.1 401 Unauthorized\r\n";
    case 404:
      return "HTTP/1.1 404 Not Found\r\n";
    case 405:
      return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408:
      return "HTTP/1.1 408 Request Timeout\r\n";
    case 413:
      return "HTTP/1.1 413 Content Too Large\r\n";
    case 414:
      return "HTTP/1.1 414 URI Too Long\r\n";
    case 417:
      return "HTTP/1.1 417 Expectation Failed\r\n";
    case 431:
      return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 501:
      return "HTTP/1.1 501 Not Implemented\r\n";
    case 505:
      return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
    default:
      return "HTTP/1.1 500 Internal Server Error\r\n";
  }
}

std::string_view connection_line(ConnectionOption option) {
  switch (option) {
    case ConnectionOption::close:
      return "Connection: close\r\n";
    case ConnectionOption::keep_alive:
      return "Connection: keep-alive\r\n";
    case ConnectionOption::unsaid:
      break;
  }
  return {};
}

[[gnu::noinline]] char* write_number(char* at, std::size_t number) {
  return std::to_chars(at, at + 20, number).ptr;
}

// Copies pieces one after the other into space that is known to be large enough.
class Writer {
 public:
  explicit Writer(char* at) : start_(at), at_(at) {}
  void put(std::string_view piece) {
    if (!piece.empty()) std::memcpy(at_, piece.data(), piece.size());  // empty may be null
    at_ += piece.size();
  }
  void put(std::size_t number) { at_ = write_number(at_, number); }
  void put_upper(std::string_view piece) {
    ascii_upper(piece, at_);
    at_ += piece.size();
  }
  std::size_t size() const { return static_cast<std::size_t>(at_ - start_); }

 private:
  char* start_;
  char* at_;
};

}  // namespace

Response error_response(int status, std::string_view more) {
  return {
      .status = status, .body = status_line(status).substr(std::strlen("HTTP/1.1 ")), .more = more};
}

void render(Buffer& out, const Response& response, Date& date, ConnectionOption connection,
            bool head_only) {
  constexpr std::size_t kFixed = 256;  // more than status line, Date, names and numbers ever take
  const std::string_view body = head_only ? std::string_view() : response.body;
  Writer writer(
      out.room(kFixed + response.content_type.size() + response.more.size() + body.size()).data());
  // Pieces whose size the compiler knows become a few stores; the others are calls of memcpy.
  if (response.status == 200) {
    writer.put("HTTP/1.1 200 OK\r\n");
  } else {
    writer.put(status_line(response.status));
  }
  writer.put(date.line());
  if (response.status != 204) {
    writer.put("Content-Type: ");
    writer.put(response.content_type);
    writer.put("\r\nContent-Length: ");
    writer.put(response.body.size());
    writer.put("\r\n");
  }
  writer.put(response.more);
  if (connection != ConnectionOption::unsaid) writer.put(connection_line(connection));
  writer.put("\r\n");
  response.upper ? writer.put_upper(body) : writer.put(body);
  out.commit(writer.size());
}
