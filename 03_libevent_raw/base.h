#pragma once
// libevent's set-up, owned the C++ way: what stages 3 and 4 do once, before their loops run.
// Sources: event2/event.h. Nothing here is thread-safe but by belonging to one thread: a base, and
// every event on it, is touched by the thread that runs it only.

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>

#include <memory>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/worker.h"

struct Free {
  void operator()(event_base* base) const { event_base_free(base); }
  void operator()(event* ev) const { event_free(ev); }                // takes it off its base first
  void operator()(bufferevent* bev) const { bufferevent_free(bev); }  // closes its socket
  void operator()(evconnlistener* listener) const { evconnlistener_free(listener); }
};
using Base = std::unique_ptr<event_base, Free>;
using Event = std::unique_ptr<event, Free>;
using Bufferevent = std::unique_ptr<bufferevent, Free>;
using Evconnlistener = std::unique_ptr<evconnlistener, Free>;

// An event that is part of what it is about, for event_assign. A drain that is cut short frees
// clients before their base, which would look at their events once more: so these leave it first.
// Whoever is moved has not been assigned yet.
struct Embedded : event {
  Embedded() : event{} {}
  Embedded(Embedded&&) noexcept : event{} {}
  ~Embedded() {
    if (event_initialized(this) == 0) return;
    event_del(this);
    event_debug_unassign(this);  // --libevent-debug remembers each event by its address
  }
};

// For main(), before serve(): libevent's own messages go to stderr, without ever blocking on it.
void prepare_libevent();

// A base as the flags want it: --backend, --changelist, --libevent-debug, --count-memory.
Base make_base(const Options& options = {});

// The flags that make_base obeys, behind a stage's own.
std::vector<StageFlag> libevent_flags(std::vector<StageFlag> own = {});

// With --count-memory: what libevent holds at the moment, all loops together.
std::optional<std::uint64_t> libevent_bytes();
constexpr Gauge kLibeventGauges[] = {{"libevent_bytes", libevent_bytes}};

// event_new and event_add in one; `source` is a descriptor (EV_READ) or a signal (EV_SIGNAL).
// Persistent.
[[nodiscard]] Event add_event(event_base* base, int source, short kind, event_callback_fn handler,
                              void* arg);

// On its base, or off it for a while: event_add or event_del. No event: nothing is done.
void add_or_delete(const Event& ev, bool add);

// A timer that is not running yet, and what starts it.
[[nodiscard]] Event make_timer(event_base* base, event_callback_fn handler, void* arg);
void start(const Event& timer, std::chrono::microseconds after);

// One timer for many deadlines. It is set anew only for an earlier deadline than the one it has, so
// it may strike in vain, where what it was set for has been put off: cheaper than setting it again
// each time.
class Timer {
 public:
  // Without a handler it only ends the waiting: event_base_loop(EVLOOP_ONCE) returns.
  explicit Timer(
      event_base* base, event_callback_fn handler = [](evutil_socket_t, short, void*) {},
      void* arg = nullptr);
  void at(Clock::time_point deadline);

 private:
  Event ev_;
  Clock::time_point set_ = kNever;
};

// --heartbeat: a persistent timer; nothing without the flag.
[[nodiscard]] Event add_heartbeat(event_base* base, Worker& worker);

// Calls `handler` when the process is asked to stop. One base of a process can have its signals:
// the first worker's. The others are told through a descriptor.
struct StopEvents {
  UniqueFd descriptor;
  std::vector<Event> events;
};
[[nodiscard]] StopEvents add_stop_events(event_base* base, const Worker& worker,
                                         event_callback_fn handler, void* arg);

// A timeval that event_add recognises: all timers with it stand in one queue instead of a heap, so
// that starting one again costs the same with 10,000 connections as with one.
timeval common_timeout(event_base* base, std::chrono::microseconds timeout);

// Accepts on a socket that listens already. Where it cannot, `error` is called, and it goes on
// listening: whoever does not want to be called again at once disables it there.
[[nodiscard]] Evconnlistener make_listener(event_base* base, UniqueFd socket,
                                           evconnlistener_cb accepted, evconnlistener_errorcb error,
                                           void* arg);
