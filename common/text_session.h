#pragma once
// The text port: bytes in, the same bytes in upper case out (or untouched, --text-mode=echo).
// No framing, so every byte can be answered as it comes.

#include "common/session.h"

class TextSession : public Session {
 public:
  explicit TextSession(Context& context) : Session(context, true) {}
  Phase advance(Buffer& out, bool last) override;
  bool expire(Buffer&) override { return false; }
};
