#include "common/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/http_session.h"
#include "common/text_session.h"

Session::Session(Context& context, bool streaming)
    : context_(context), in_(context.pool), streaming_(streaming) {
  context_.stats.accepted.add(1);
  context_.stats.open.add(1);
}

Session::~Session() { context_.stats.open.subtract(1); }

std::span<char> Session::room() {
  constexpr std::size_t kLeast = 4 * 1024;
  const std::span<char> room = in_.room(kLeast);
  return room.first(std::min(room.size(), kChunk));
}

bool Session::fed(std::size_t count) {
  context_.stats.bytes_in.add(count);
  in_.commit(count);
  if (finished()) discarded_ += static_cast<std::uint32_t>(count);
  if (finished() || in_.empty()) in_.clear();  // room() may have taken a block for nothing
  return streaming_ && !finished() && count != 0;
}

bool Session::sent(std::size_t count, bool flushed) {
  context_.stats.bytes_out.add(count);
  if (streaming_) return count != 0;
  return flushed && std::exchange(answered_, false);
}

void Session::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> free = room();
    const std::size_t count = std::min(free.size(), bytes.size());
    std::memcpy(free.data(), bytes.data(), count);
    fed(count);
    bytes.remove_prefix(count);
  }
}

Session::Phase Session::phase() const {
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
