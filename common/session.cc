#include "common/session.h"

#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/http_session.h"
#include "common/text_session.h"

Session::Session(Context& context, bool streaming)
    : context_(context), in_(context.pool), streaming_(streaming) {
  context_.stats.accepted.add(1);
  context_.stats.open.add(1);
  context_.trim_at = std::max(context_.trim_at, context_.stats.open.get() / 2);
}

// After a storm malloc holds on to pages that are free but not at its heap's end. It is told to
// give them back each time half of the clients are gone: O(1) for each of them, and never for a
// few.
Session::~Session() {
  constexpr std::uint64_t kFew = 64;
  context_.stats.open.subtract(1);
  const std::uint64_t open = context_.stats.open.get();
  if (open > context_.trim_at || context_.trim_at < kFew) return;
  context_.trim_at = open / 2;
  context_.trim_again = true;
  malloc_trim(0);
}

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
