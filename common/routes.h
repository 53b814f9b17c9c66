#pragma once
// The application: Request -> Response. It knows neither sockets nor how HTTP is framed, which is
// why two HTTP engines can share it.

#include <optional>
#include <string_view>

#include "common/context.h"
#include "common/http_parser.h"
#include "common/http_response.h"

// The refusal that does not depend on the body: 501 for a method nobody knows, 401, 404, 405.
// Nothing if the request is wanted.
std::optional<Response> refuse_unread(const Request& request, const App& app);

// The answer to a complete request. Valid until the next call with this Context.
Response respond(const Request& request, Context& context);

// Does `authorization` (the field's value) carry these credentials? In constant time for its
// length.
bool authorized(std::string_view authorization, std::string_view credentials);

// base64 (RFC 4648, section 4) of "USER:PASSWORD".
std::string base64(std::string_view bytes);
