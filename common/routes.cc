#include "common/routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "common/ascii.h"

namespace {

constexpr std::string_view kAllow = "Allow: GET, HEAD, POST, OPTIONS\r\n";
constexpr std::string_view kAllowGet = "Allow: GET, HEAD\r\n";
constexpr std::string_view kAllowPost = "Allow: POST\r\n";
constexpr std::string_view kAllowGetPost = "Allow: GET, HEAD, POST\r\n";
constexpr std::string_view kChallenge =
    "WWW-Authenticate: Basic realm=\"reactor lab\", charset=\"UTF-8\"\r\n";

Response page(const Request&, Context& context) {
  return {.content_type = "text/html; charset=utf-8", .body = context.app.page};
}

Response hello(const Request&, Context&) { return {.body = "hello, world\n"}; }

Response echo(const Request& request, Context&) {
  const bool typed = !request.content_type.empty();
  return {.content_type = typed ? request.content_type : "application/octet-stream",
          .body = request.body};
}

Response upper_body(const Request& request, Context& context) {
  Response response = echo(request, context);
  response.upper = true;
  return response;
}

// The value of the first `text` of a query, still escaped.
std::optional<std::string_view> text_of(std::string_view query) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    if (pair.starts_with("text=")) return pair.substr(5);
    if (pair == "text") return "";
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
  }
  return std::nullopt;
}

// What the %XX at the front of `text` stands for; -1 where none stands there.
int escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_value(text[1]);
  const int low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Form decoding: '+' is a space, %XX a byte. False on an escape that is none.
bool unescape(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    const int byte = escaped_byte(text.substr(i));
    if (byte < 0) return false;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return true;
}

Response upper_query(const Request& request, Context& context) {
  const auto text = text_of(request.query);
  if (!text || !unescape(*text, context.scratch)) return error_response(400);
  return {.body = context.scratch, .upper = true};
}

void append_member(std::string& json, std::string_view name, std::uint64_t value) {
  json.append(",\"").append(name).append("\":").append(std::to_string(value));
}

Response stats(const Request&, Context& context) {
  const App& app = context.app;
  const auto total = [&app](StatsField counter) { return sum(app.stats, counter); };
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - app.started);
  std::string& json = context.scratch;
  json.assign("{\"stage\":\"").append(app.stage).append("\"");
  append_member(json, "uptime_seconds", static_cast<std::uint64_t>(uptime.count()));
  append_member(json, "connections_open", total(&Stats::open));
  append_member(json, "connections_accepted", total(&Stats::accepted));
  append_member(json, "requests", total(&Stats::requests));
  append_member(json, "bytes_in", total(&Stats::bytes_in));
  append_member(json, "bytes_out", total(&Stats::bytes_out));
  append_member(json, "loop_wakeups", total(&Stats::wake_ups));
  for (const Gauge& gauge : app.gauges) {
    const auto value = gauge.read();
    if (!value) continue;
    append_member(json, gauge.name, *value);
    append_member(json, std::string(gauge.name) + "_per_connection",
                  *value / std::max<std::uint64_t>(total(&Stats::open), 1));
  }
  json.append("}\n");
  return {.content_type = "application/json", .body = json};
}

using Handler = Response (*)(const Request&, Context&);

struct Route {
  std::string_view path;
  std::string_view allow;
  Handler get;  // HEAD too: what is sent without the body is decided where it is rendered
  Handler post;
};

constexpr std::array<Route, 5> kRoutes = {{
    {"/", kAllowGet, page, nullptr},
    {"/hello", kAllowGet, hello, nullptr},
    {"/echo", kAllowPost, nullptr, echo},
    {"/upper", kAllowGetPost, upper_query, upper_body},
    {"/stats", kAllowGet, stats, nullptr},
}};

// What needs no escape is the same with one: %68 is "h", but %2F is not "/" (RFC 3986, 6.2.2.2).
bool names(std::string_view path, std::string_view route) {
  for (const char wanted : route) {
    const int byte = wanted != '/' ? escaped_byte(path) : -1;
    if (byte != wanted && !path.starts_with(wanted)) return false;
    path.remove_prefix(byte == wanted ? 3 : 1);
  }
  return path.empty();
}

[[gnu::noinline]] const Route* find_escaped_route(std::string_view path) {
  if (path.find('%') == path.npos) return nullptr;
  const auto same = [&](const Route& route) { return names(path, route.path); };
  const auto* route = std::ranges::find_if(kRoutes, same);
  return route != kRoutes.end() ? route : nullptr;
}

// Unrolled, each path is a constant: comparing takes two instructions, not a call of memcmp.
const Route* find_route(std::string_view path) {
#pragma GCC unroll 16
  for (const Route& route : kRoutes) {
    if (path == route.path) return &route;
  }
  return find_escaped_route(path);
}

// nullptr: nobody answers that.
inline Handler handler_of(const Route* route, Method method) {
  if (route == nullptr) return nullptr;
  if (method == Method::get || method == Method::head) return route->get;
  return method == Method::post ? route->post : nullptr;
}

bool is_server_wide(const Request& request) {
  return request.method == Method::options && request.path == "*";
}

// Where credentials are asked for, GET /hello alone goes without.
bool may(const Request& request, const Route* route, const App& app) {
  return (route != nullptr && route->path == "/hello") ||
         authorized(request.authorization, app.credentials);
}

// Why the request is not wanted; nothing if it is. `route`: of its path, or nullptr.
[[gnu::noinline]] std::optional<Response> refuse(const Request& request, const Route* route,
                                                 const App& app) {
  if (request.method == Method::unknown) return error_response(501);
  if (!app.credentials.empty() && !may(request, route, app)) return error_response(401, kChallenge);
  if (request.method == Method::connect) return error_response(405, kAllow);
  if (is_server_wide(request)) return std::nullopt;
  if (route == nullptr) return error_response(404);
  if (handler_of(route, request.method) == nullptr) return error_response(405, route->allow);
  return std::nullopt;
}

}  // namespace

std::optional<Response> refuse_unread(const Request& request, const App& app) {
  return refuse(request, find_route(request.path), app);
}

// Where there is a handler, and everyone may, there is nothing to refuse.
Response respond(const Request& request, Context& context) {
  const Route* route = find_route(request.path);
  const Handler handler = handler_of(route, request.method);
  if (handler == nullptr || !context.app.credentials.empty()) {
    if (const auto refused = refuse(request, route, context.app)) return *refused;
    if (handler == nullptr) return {.status = 204, .more = kAllow};  // OPTIONS *
  }
  return handler(request, context);
}

bool authorized(std::string_view authorization, std::string_view credentials) {
  constexpr std::size_t kScheme = 5;
  if (!equals_ignoring_case(authorization.substr(0, kScheme), "basic")) return false;
  authorization.remove_prefix(kScheme);
  if (!authorization.starts_with(' ')) return false;
  const std::string_view given = trim(authorization);
  // Every byte is compared, whatever the first difference: the time tells nothing about the secret.
  std::size_t difference = given.size() ^ credentials.size();
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<std::size_t>(given[i] ^ credentials[i % credentials.size()]);
  }
  return difference == 0;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(i <= group.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=');
    }
  }
  return text;
}
