#include "04_bufferevent_http/evhttp_message.h"

#include <cstring>
#include <string>

#include "common/ascii.h"

namespace {

Method method_of(evhttp_cmd_type command) {
  switch (command) {
    case EVHTTP_REQ_GET:
      return Method::get;
    case EVHTTP_REQ_HEAD:
      return Method::head;
    case EVHTTP_REQ_POST:
      return Method::post;
    case EVHTTP_REQ_PUT:
      return Method::put;
    case EVHTTP_REQ_DELETE:
      return Method::delete_;
    case EVHTTP_REQ_OPTIONS:
      return Method::options;
    case EVHTTP_REQ_TRACE:
      return Method::trace;
    case EVHTTP_REQ_CONNECT:
      return Method::connect;
    case EVHTTP_REQ_PATCH:
      return Method::patch;
  }
  return Method::unknown;
}

std::string_view text(const char* may_be_null) { return may_be_null != nullptr ? may_be_null : ""; }

// To evhttp, what follows "//" is a host; and http://host has no path.
std::string_view path_of(const evhttp_request* message) {
  const std::string_view target = text(evhttp_request_get_uri(message));
  if (target.starts_with("//")) return target.substr(0, target.find('?'));
  const std::string_view path = text(evhttp_uri_get_path(evhttp_request_get_evhttp_uri(message)));
  return path.empty() ? "/" : path;
}

// "Allow: GET\r\n" and so on.
void add_field_lines(evkeyvalq* headers, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t colon = lines.find(": ");
    const std::size_t end = lines.find("\r\n", colon);
    const std::string name(lines.substr(0, colon));
    const std::string value(lines.substr(colon + 2, end - colon - 2));
    evhttp_add_header(headers, name.c_str(), value.c_str());
    lines.remove_prefix(end + 2);
  }
}

// Upper-cased on its way into the evbuffer's own memory: no copy in between.
void add_body(evbuffer* out, const Response& response) {
  const std::string_view body = response.body;
  evbuffer_iovec space{};
  if (evbuffer_reserve_space(out, static_cast<ev_ssize_t>(body.size()), &space, 1) != 1) return;
  char* to = static_cast<char*>(space.iov_base);
  response.upper ? ascii_upper(body, to) : void(std::memcpy(to, body.data(), body.size()));
  space.iov_len = body.size();
  evbuffer_commit_space(out, &space, 1);
}

}  // namespace

Request to_request(evhttp_request* message) {
  const evhttp_uri* uri = evhttp_request_get_evhttp_uri(message);
  const evkeyvalq* headers = evhttp_request_get_input_headers(message);
  evbuffer* body = evhttp_request_get_input_buffer(message);
  const std::size_t size = evbuffer_get_length(body);
  const auto* bytes = reinterpret_cast<const char*>(evbuffer_pullup(body, -1));  // in one piece
  return {.method = method_of(evhttp_request_get_command(message)),
          .path = path_of(message),
          .query = text(evhttp_uri_get_query(uri)),
          .content_type = text(evhttp_find_header(headers, "Content-Type")),
          .authorization = text(evhttp_find_header(headers, "Authorization")),
          .body = {bytes, bytes != nullptr ? size : 0}};
}

void send_response(evhttp_request* message, const Response& response) {
  evkeyvalq* headers = evhttp_request_get_output_headers(message);
  if (response.status != 204) {
    evhttp_add_header(headers, "Content-Type", std::string(response.content_type).c_str());
    // evhttp leaves it out for HEAD, for HTTP/1.0, and for CONNECT although it sends the body.
    evhttp_add_header(headers, "Content-Length", std::to_string(response.body.size()).c_str());
  }
  add_field_lines(headers, response.more);
  if (evhttp_request_get_command(message) != EVHTTP_REQ_HEAD && !response.body.empty()) {
    add_body(evhttp_request_get_output_buffer(message), response);
  }
  evhttp_send_reply(message, response.status, nullptr, nullptr);
}
