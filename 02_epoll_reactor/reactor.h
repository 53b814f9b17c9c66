#pragma once
// The reactor: descriptor, interest and callback travel together.
//
// A Channel hangs on the epoll tree with its own address in the event, so the answer to "who is
// this, and what is to be done?" comes back with the event: no table, no `if`. As in libevent, the
// callback is kept with what is waited for (event_add, event_base_loop; event2/event.h). libevent
// itself hangs up the descriptor's number and has a table: several events may share a descriptor,
// and select and poll carry no pointer.

#include <sys/epoll.h>

#include <array>
#include <functional>
#include <span>

#include "common/clock.h"
#include "common/socket.h"

using Handler = std::function<void()>;  // keep captures to two pointers: those need no allocation

// Owner of its descriptor. Must stay where it is while it is on the tree, and must not be destroyed
// inside dispatch() (a later event of the batch may point to it): watch it
// for 0, destroy it after.
struct Channel {
  UniqueFd fd;
  uint32_t interest = 0;  // EPOLLIN or EPOLLOUT; 0: it is not on the tree
  Handler handler = {};
};

// How an interest is changed.
enum class Rearm : std::uint8_t {
  mod,      // EPOLL_CTL_MOD: one call
  del_add,  // off the tree, change it, hang it back: two calls, the textbook way
};

class Reactor {
 public:
  explicit Reactor(Rearm rearm);

  // Changes interest and callback in one step: that is the whole idea. False: the kernel has no
  // memory, or this user watches as much as he may (ENOSPC, max_user_watches: epoll(7)).
  bool watch(Channel& channel, uint32_t interest, Handler handler);
  // The same callback; 0: off the tree.
  bool watch(Channel& channel, uint32_t interest);

  // One timer; setting it again moves it. kNever: none.
  void at(Clock::time_point deadline, Handler handler);

  // Sleeps until a channel is ready or the timer is due.
  void wait(Clock::time_point now);
  // Calls the handlers of what was ready, then the timer's if it is due.
  void dispatch(Clock::time_point now);

 private:
  bool control(int operation, Channel& channel, uint32_t interest);

  UniqueFd tree_;
  Rearm rearm_;
  Clock::time_point deadline_ = kNever;
  Handler timer_;
  std::array<epoll_event, 256> events_;
  std::span<const epoll_event> ready_;
};
