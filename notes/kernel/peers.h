#pragma once
// What the other end of a connection may have done, one state a row.

#include "notes/kernel/kernel.h"

struct Peer {
  const char* did;
  void (*act)(Pair&);
  short sign;            // what poll says at our end once it has happened; 0: ERR or HUP
  bool is_gone = false;  // so it answers what we send by RST
};

inline void says_five(const Pair& p) {
  say(p.peer, "12345");
  wait_for(p.ours, POLLIN);
}
inline void unread(const Pair& p) {
  say(p.ours, "x");
  wait_for(p.peer, POLLIN);
}
inline void ends(const UniqueFd& fd) { check(shutdown(fd.get(), SHUT_WR), "shutdown"); }

// clang-format off
inline constexpr Peer kPeers[] = {
    {"nothing", [](Pair&) {}, POLLOUT},
    {"sent 5 bytes", [](Pair& p) { says_five(p); }, POLLIN},
    {"shutdown: FIN", [](Pair& p) { ends(p.peer); }, POLLRDHUP},
    {"close: FIN", [](Pair& p) { p.peer.reset(); }, POLLRDHUP, true},
    {"sent 5, close: FIN", [](Pair& p) { says_five(p); p.peer.reset(); }, POLLRDHUP, true},
    {"shutdown, and so did we", [](Pair& p) { ends(p.peer); ends(p.ours); }, 0},
    {"FIN, then RST", [](Pair& p) { ends(p.peer); wait_for(p.ours, POLLRDHUP); reset(p.peer); }, 0},
    {"close, input unread: RST", [](Pair& p) { unread(p); p.peer.reset(); }, 0},
    {"RST", [](Pair& p) { reset(p.peer); }, 0},
    {"sent 5, RST", [](Pair& p) { says_five(p); reset(p.peer); }, 0},
};
// clang-format on

inline Pair after(const Peer& peer) {
  Pair pair = connected();
  peer.act(pair);
  wait_for(pair.ours, peer.sign);
  return pair;
}
