#include "common/session.h"

#include "common/http_session.h"
#include "common/text_session.h"

Session::Session(Context& context, bool streaming)
    : context_(context), in_(context.pool), streaming_(streaming) {}

Session::~Session() = default;

void Session::finish(bool linger) {
  phase_ = linger ? Phase::linger : Phase::over;
  in_.clear();
}

std::unique_ptr<Session> make_session(Protocol protocol, Context& context) {
  if (protocol == kText) return std::make_unique<TextSession>(context);
  return std::make_unique<HttpSession>(context);
}
