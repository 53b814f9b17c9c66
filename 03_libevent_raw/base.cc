#include "03_libevent_raw/base.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>

void prepare_libevent() {
  event_set_log_callback([](int, const char* message) { print_line(STDERR_FILENO, message); });
}

Base make_base() { return Base(check(event_base_new(), "event_base_new")); }

Event hang(event_base* base, int source, short kind, event_callback_fn handler, void* arg) {
  const auto events = static_cast<short>(kind | EV_PERSIST);
  Event ev(check(event_new(base, source, events, handler, arg), "event_new"));
  check(event_add(ev.get(), nullptr), "event_add");
  return ev;
}

Event make_timer(event_base* base, event_callback_fn handler, void* arg) {
  return Event(check(evtimer_new(base, handler, arg), "evtimer_new"));
}

void start(const Event& timer, std::chrono::microseconds after) {
  const timeval tv = to_timeval(std::max(after, std::chrono::microseconds(0)));
  event_add(timer.get(), &tv);
}

Timer::Timer(event_base* base, event_callback_fn handler, void* arg)
    : ev_(make_timer(base, handler, arg)) {}

void Timer::at(Clock::time_point deadline, Clock::time_point now) {
  const bool pending = evtimer_pending(ev_.get(), nullptr) != 0;
  if (deadline == kNever || (pending && deadline >= set_)) return;
  start(ev_, std::chrono::ceil<std::chrono::microseconds>(deadline - now));
  set_ = deadline;
}

StopEvents hang_stop(event_base* base, const Worker& worker, event_callback_fn handler, void* arg) {
  StopEvents stop{worker.stop_descriptor(), {}};
  if (stop.descriptor) {
    stop.events.push_back(hang(base, stop.descriptor.get(), EV_READ, handler, arg));
  } else {
    stop.events.push_back(hang(base, SIGTERM, EV_SIGNAL, handler, arg));
    stop.events.push_back(hang(base, SIGINT, EV_SIGNAL, handler, arg));
    Worker::unblock_stop_signals();
  }
  return stop;
}

timeval common_timeout(event_base* base, std::chrono::microseconds timeout) {
  const timeval tv = to_timeval(timeout);
  return *check(event_base_init_common_timeout(base, &tv), "event_base_init_common_timeout");
}

Listener make_listener(event_base* base, UniqueFd socket, evconnlistener_cb accepted,
                       evconnlistener_errorcb error, void* arg) {
  constexpr unsigned kFlags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
  Listener listener(check(evconnlistener_new(base, accepted, arg, kFlags, 0, socket.get()),
                          "evconnlistener_new"));
  socket.release();
  evconnlistener_set_error_cb(listener.get(), error);
  return listener;
}
