#include "common/session.h"

#include <utility>

#include "common/http_session.h"
#include "common/text_session.h"

Session::Session(Context& context, bool streaming)
    : context_(context), in_(context.pool), streaming_(streaming) {}

Session::~Session() = default;

Progress Session::received(std::size_t count) {
  context_.stats.bytes_in.add(count);
  if (finished()) {
    discarded_ += static_cast<std::uint32_t>(count);
    in_.clear();
    return Progress::none;
  }
  return streaming_ && count != 0 ? Progress::made : Progress::none;
}

Progress Session::feed(std::string_view bytes) {
  in_.append(bytes);
  return received(bytes.size());
}

Progress Session::sent(std::size_t count, bool flushed) {
  context_.stats.bytes_out.add(count);
  spoke_ = spoke_ || count != 0;
  const bool made = streaming_ ? count != 0 : flushed && std::exchange(answered_, false);
  return made ? Progress::made : Progress::none;
}

Phase Session::phase() const {
  const bool deaf = eof_ || discarded_ > kMaxDiscard;
  return phase_ == Phase::linger && deaf ? Phase::over : phase_;
}

void Session::finish(bool linger) {
  phase_ = linger ? Phase::linger : Phase::over;
  in_.clear();
}

std::unique_ptr<Session> make_session(Protocol protocol, Context& context) {
  if (protocol == kText) return std::make_unique<TextSession>(context);
  return std::make_unique<HttpSession>(context);
}
