#pragma once
// Which connection is due when, without a search; and when it may be freed.
//
//              restart_clock: all that was owed has gone out, or a text byte has moved
//                   +---+
//          add      |   v     time up, but what it waits for is here: last_look
//        ------->  serving  --------------------------------------------->  last look
//                   |   |  <--------------- restart_clock ------------------   |
//   the last word   |   |                                                      |
//   has gone:       |   +-------- time up, or the client left: close ------+   | time up: close
//   linger          v                                                      v   v
//                 lingering  -------- time up, or FIN: close ----------->  closed  -> freed
//
// Each state is a list, and each list has one time-out. Whoever starts its clock anew goes to the
// list's end, so the first one is always the first to be due: each step is O(1), with 10,000
// connections as with one. For stages 1, 2 and 4; in stage 3 libevent's timers do this.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <list>
#include <utility>
#include <vector>

#include "common/clock.h"

// After the last word: until its reader has surely got it. Closing at once, with input that nobody
// read, would reset the connection under it.
constexpr std::chrono::seconds kLingerTime(1);
// For what came while the loop was kept from it: enough to read and answer thousands.
constexpr std::chrono::milliseconds kLastLookTime(750);

// Says on stderr that `handler` left a connection where it was, and aborts: it would be called for
// ever.
[[noreturn]] void no_progress(const char* handler);

// Owns the connections. Connection is movable until it is added, and has a member `place` of the
// type Place below.
template <typename Connection>
class Deadlines {
 public:
  struct List {
    std::chrono::microseconds timeout;
    std::list<Connection> members = {};

    Clock::time_point due() const {
      return members.empty() ? kNever : members.front().place.clock_started + timeout;
    }
  };
  struct Place {
    List* list = nullptr;
    typename std::list<Connection>::iterator position = {};
    Clock::time_point clock_started = {};
  };

  // `now`: the loop's clock, which it reads once per batch.
  Deadlines(std::chrono::microseconds idle_timeout, const Clock::time_point& now)
      : now_(now), serving_{idle_timeout} {}

  // Takes a connection on, and returns it at the address that it keeps until it is freed.
  Connection& add(Connection newcomer) {
    Connection& c = serving_.members.emplace_back(std::move(newcomer));
    c.place = {&serving_, std::prev(serving_.members.end()), now_};
    return c;
  }

  void restart_clock(Connection& c) { move_to(serving_, c); }
  // False if it lingers already: then its clock runs on.
  bool linger(Connection& c) {
    if (c.place.list == &lingering_) return false;
    move_to(lingering_, c);
    return true;
  }
  // False if it had its last look, or lingers: then it has no more time.
  bool last_look(Connection& c) {
    if (c.place.list != &serving_) return false;
    move_to(last_look_, c);
    return true;
  }
  // It is served no more, but exists until free_closed: a later event of this batch may name it.
  // Only then is its descriptor closed.
  void close(Connection& c) { move_to(closed_, c); }

  // When the next connection is due; kNever: none.
  Clock::time_point next() const {
    return std::min({serving_.due(), last_look_.due(), lingering_.due()});
  }

  // Calls `on_time_up` for each connection that is due. It must move it, by one of the above.
  void expire(void (*on_time_up)(Connection&)) {
    for (List* list : {&serving_, &last_look_, &lingering_}) {
      while (list->due() <= now_) {
        Connection& first = list->members.front();
        on_time_up(first);
        if (list->due() <= now_ && &list->members.front() == &first) no_progress("on_time_up");
      }
    }
  }

  // After the batch. Only now are the numbers of closed descriptors free for newcomers, so that no
  // event of the batch can be mistaken for one of theirs. Returns how many were freed.
  std::size_t free_closed() {
    const std::size_t count = closed_.members.size();
    closed_.members.clear();
    return count;
  }

  // Those that are served at the moment; a copy, because what is done with them moves them.
  std::vector<Connection*> serving() {
    std::vector<Connection*> copy;
    for (Connection& c : serving_.members) copy.push_back(&c);
    return copy;
  }

 private:
  // To the end of a list: its clock starts now.
  void move_to(List& list, Connection& c) {
    list.members.splice(list.members.end(), c.place.list->members, c.place.position);
    c.place.list = &list;
    c.place.clock_started = now_;
  }

  const Clock::time_point& now_;
  List serving_;
  List last_look_{kLastLookTime};
  List lingering_{kLingerTime};
  List closed_{{}};
};
