#pragma once
// Between evhttp's messages and the application's: evhttp_request -> Request, Response -> evhttp's
// output. Sources: event2/http.h, event2/buffer.h.

#include <event2/buffer.h>
#include <event2/http.h>

#include "common/routes.h"

// Views into the evhttp_request: valid until it is answered.
Request to_request(evhttp_request* message);

// Answers, and so gives the evhttp_request up: it is freed when the answer has gone out, which is
// not before evhttp's callback returns.
void send_response(evhttp_request* message, const Response& response);
