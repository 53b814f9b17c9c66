#pragma once
// The sans-I/O boundary: bytes in, bytes out. A session knows a protocol and no descriptor; a stage
// knows descriptors and no protocol. The session keeps the input it could not use yet; the stage
// keeps the output, because who holds it while the kernel will not take it is what the stages
// differ in.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "common/buffer.h"
#include "common/context.h"

// What a session has still to say.
enum class Phase : std::uint8_t {
  open,    // may still have something to say
  linger,  // has said everything: once that is flushed, half-close and discard input for a
           // second, because closing with unread input resets the connection under the last
           // answer
  over,    // has said everything and the peer has too, or was never said anything: once it is
           // flushed, close
};

// Whether bytes that moved start the clock of --idle-timeout anew: only the protocol knows.
enum class Progress : bool { none, made };

class Session {
 public:
  // advance() stops here: 10,000 pipelined requests never become 10,000 answers in memory. Below a
  // block's size, so that the answer that crosses the line still fits.
  static constexpr std::size_t kHighWater = 12 * 1024;
  // A peer that still sends after the last word is listened to for so long; then it is hung up on.
  static constexpr std::uint32_t kMaxDiscard = 64 * 1024 * 1024;

  // `streaming`: any byte that moves restarts the idle clock. Otherwise only a complete answer
  // does.
  Session(Context& context, bool streaming);
  virtual ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Input. The stage appends what the peer sent to input() and says how much that was; feed() is
  // both in one.
  Buffer& input() { return in_; }
  inline Progress received(std::size_t count);
  Progress feed(std::string_view bytes) {
    in_.append(bytes);
    return received(bytes.size());
  }
  void feed_eof() { eof_ = true; }  // the peer shut down its sending side

  // Appends answers to `out` until it needs more input or `out` holds kHighWater. `last`: the
  // server drains and no byte waits in the kernel, so what can be answered now is the last answer.
  // A request that has begun is waited for; where none has, this ends the session.
  virtual Phase advance(Buffer& out, bool last) = 0;
  inline Phase phase() const;  // what advance() returned

  // The idle time-out struck. True: `out` holds a last word, send it. False: just close.
  virtual bool expire(Buffer& out) = 0;

  // Output: the kernel took `count` bytes, and with `flushed` that was all of it.
  inline Progress sent(std::size_t count, bool flushed);

 protected:
  // Nothing left to say: from now on input is counted and dropped. `linger`: what was said may
  // still be on its way, and the peer may still send.
  void finish(bool linger = true);
  // The same where no last word was needed.
  void finish_silently(const Buffer& out) { finish(!out.empty() || (spoke_ && !eof_)); }
  void answered() { answered_ = true; }  // `out` got a complete answer

  Context& context_;
  Buffer in_;
  bool eof_ = false;
  bool finished() const { return phase_ != Phase::open; }

 private:
  const bool streaming_;
  bool answered_ = false;
  bool spoke_ = false;  // bytes have gone out
  Phase phase_ = Phase::open;
  std::uint32_t discarded_ = 0;
};

Progress Session::received(std::size_t count) {
  context_.stats.bytes_in.add(count);
  if (finished()) {
    discarded_ += static_cast<std::uint32_t>(count);
    in_.clear();
    return Progress::none;
  }
  return streaming_ && count != 0 ? Progress::made : Progress::none;
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

// A new session for a client of that protocol's port.
std::unique_ptr<Session> make_session(Protocol protocol, Context& context);
