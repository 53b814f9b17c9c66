#pragma once
// What common/deadlines.h is to the other stages, by libevent: the same states, but each connection
// has a timer of its own, an event like any other. Which one is due next, libevent knows.
//
// A timer's state is the time-out that it was last started with. event_add on a pending timer moves
// its deadline, and with a common time-out (event_base_init_common_timeout) that is O(1), too: such
// timers stand in a queue instead of a heap. Sources: event2/event.h.

#include <list>
#include <utility>
#include <vector>

#include "03_libevent_raw/base.h"
#include "common/deadlines.h"

// Owns the connections. Connection is movable until it is added, and has a member `place` of the
// type Place below. For the thread of its event_base.
template <typename Connection>
class Timers {
 public:
  struct Place {
    Embedded timer = {};  // an event without an allocation of its own
    const timeval* timeout = nullptr;
    typename std::list<Connection>::iterator position = {};
  };

  Timers(event_base* base, std::chrono::microseconds idle_timeout)
      : base_(base),
        idle_(common_timeout(base, idle_timeout)),
        last_look_(common_timeout(base, kLastLookTime)),
        linger_(common_timeout(base, kLingerTime)) {}

  // `on_time_up` gets the connection as its last argument.
  Connection& add(Connection newcomer, event_callback_fn on_time_up) {
    Connection& c = open_.emplace_back(std::move(newcomer));
    c.place.position = std::prev(open_.end());
    evtimer_assign(&c.place.timer, base_, on_time_up, &c);
    start(c, idle_);
    return c;
  }

  void restart_clock(Connection& c) { start(c, idle_); }
  bool linger(Connection& c) { return c.place.timeout != &linger_ && start(c, linger_); }
  bool last_look(Connection& c) { return c.place.timeout == &idle_ && start(c, last_look_); }
  void close(Connection& c) {
    event_del(&c.place.timer);
    closed_.splice(closed_.end(), open_, c.place.position);
  }

  std::size_t free_closed() {
    const std::size_t count = closed_.size();
    closed_.clear();
    return count;
  }

  std::vector<Connection*> serving() {
    std::vector<Connection*> copy;
    for (Connection& c : open_) {
      if (c.place.timeout == &idle_) copy.push_back(&c);
    }
    return copy;
  }

 private:
  bool start(Connection& c, const timeval& timeout) {
    c.place.timeout = &timeout;
    return event_add(&c.place.timer, &timeout) == 0;
  }

  event_base* base_;
  timeval idle_, last_look_, linger_;
  std::list<Connection> open_, closed_;
};
