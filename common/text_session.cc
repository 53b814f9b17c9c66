#include "common/text_session.h"

#include "common/ascii.h"

Phase TextSession::advance(Buffer& out, bool last) {
  if (finished() || out.size() >= kHighWater) return phase();
  const std::size_t before = out.size();
  if (out.empty()) {
    out.swap(in_);  // the input block becomes the output block: no copy
  } else {
    out.append(in_.view());
  }
  in_.clear();
  if (context_.app.text_upper) {
    const std::span<char> fresh = out.bytes().subspan(before);
    ascii_upper({fresh.data(), fresh.size()}, fresh.data());
  }
  if (eof_ || last) finish_silently(out);
  return phase();
}
