// Reads conversations from stdin and prints what a session says to each: no socket, no loop.
// A conversation is a line with its size in decimal, then that many bytes, then the peer's FIN; the
// answer is printed in the same form. Instead of the routes there is an application that tells what
// it was asked: the method and target in a field, the body as the body.

#include <iostream>
#include <string>

#include "common/http_session.h"

namespace {

std::string_view name_of(Method method) {
  constexpr std::string_view kNames[] = {"unknown", "GET",     "HEAD",    "POST",  "PUT",
                                         "DELETE",  "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return kNames[static_cast<std::size_t>(method)];
}

}  // namespace

std::optional<Response> refuse_unread(const Request&, const App&) { return std::nullopt; }

Response respond(const Request& request, Context& context) {
  std::string& field = context.scratch;
  field.assign("Asked: ").append(name_of(request.method)).append(" ").append(request.path);
  if (!request.query.empty()) field.append("?").append(request.query);
  field.append("\r\n");
  return {.content_type = "application/octet-stream", .body = request.body, .more = field};
}

int main() {
  App app;
  app.max_body = 64 * 1024;
  Stats stats;
  Context context{app, stats};
  std::size_t size = 0;
  while (std::cin >> size) {
    std::cin.get();  // the line's end
    std::string bytes(size, '\0');
    std::cin.read(bytes.data(), static_cast<std::streamsize>(size));

    HttpSession session(context);
    Buffer out(context.pool);
    session.feed(bytes);
    session.feed_eof();
    std::string said;
    do {
      session.advance(out, false);
      said.append(out.view());
      out.clear();
    } while (session.phase() == Phase::open);
    std::cout << said.size() << '\n' << said;
  }
}
