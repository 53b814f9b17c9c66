#include "03_libevent_raw/base.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>

#include "common/process.h"

namespace {

// --count-memory. Threads share the heap and so the count: atomic.
std::atomic<std::uint64_t> held_bytes{0};
std::atomic<bool> counting{false};

void count(std::size_t before, void* block) {
  held_bytes.fetch_add(malloc_usable_size(block) - before, std::memory_order_relaxed);
}
void* counting_malloc(std::size_t size) {
  void* block = std::malloc(size);
  count(0, block);
  return block;
}
void* counting_realloc(void* old, std::size_t size) {
  const std::size_t before = malloc_usable_size(old);
  void* block = std::realloc(old, size);
  if (block != nullptr || size == 0) count(before, block);
  return block;
}
void counting_free(void* block) {
  count(malloc_usable_size(block), nullptr);
  std::free(block);
}

// libevent's sets for select(2) grow, but a C library that checks (_FORTIFY_SOURCE) ends the
// process where FD_SET is given a descriptor beyond FD_SETSIZE. Out of descriptors a server only
// has to wait.
void limit_descriptors(rlim_t most) {
  rlimit files{};
  check(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
  files.rlim_cur = std::min(files.rlim_cur, most);
  check(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
}

}  // namespace

void prepare_libevent() {
  event_set_log_callback([](int, const char* message) { print_line(STDERR_FILENO, message); });
}

Base make_base(const Options& options) {
  static std::once_flag once;  // what holds for the process, before the first base of any loop
  std::call_once(once, [&options] {
    if (options.has("count-memory")) {
      counting = true;
      event_set_mem_functions(counting_malloc, counting_realloc, counting_free);
    }
    if (options.has("libevent-debug")) {
      event_enable_debug_mode();
      event_enable_debug_logging(EVENT_DBG_ALL);
    }
  });
  const std::unique_ptr<event_config, decltype(&event_config_free)> config(
      check(event_config_new(), "event_config_new"), event_config_free);
  const std::string_view backend = options.value_of("backend");
  for (const char* other : {"epoll", "poll", "select"}) {
    if (!backend.empty() && backend != other) {
      event_config_avoid_method(config.get(), other);
    }
  }
  if (options.has("changelist"))
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  Base base(check(event_base_new_with_config(config.get()), "event_base_new_with_config"));
  // Asked of the base, not of the flag: the environment (EVENT_NOEPOLL ...) has a say, too.
  if (event_base_get_method(base.get()) == std::string_view("select"))
    limit_descriptors(FD_SETSIZE);
  return base;
}

std::vector<StageFlag> libevent_flags(std::vector<StageFlag> own) {
  static constexpr std::string_view kBackends[] = {"epoll", "poll", "select"};
  const StageFlag flags[] = {
      {"backend", "NAME", "what libevent waits with", kBackends},
      // With several loops our listeners are duplicates, which is what it must not see (event.h).
      {.name = "changelist",
       .argument = nullptr,
       .help = "libevent collects changes, epoll_ctl is called before waiting only",
       .one_loop_only = true},
      // The table of what libevent has seen is the process's, and only locks would make it the
      // loops'.
      {.name = "libevent-debug",
       .argument = nullptr,
       .help = "libevent checks how it is used, and says what it does",
       .one_loop_only = true},
      {"count-memory", nullptr, "show in /stats what libevent has allocated"},
  };
  own.insert(own.end(), std::begin(flags), std::end(flags));
  return own;
}

std::optional<std::uint64_t> libevent_bytes() {
  if (!counting) return std::nullopt;
  return held_bytes.load(std::memory_order_relaxed);
}

Event add_event(event_base* base, int source, short kind, event_callback_fn handler, void* arg) {
  const auto events = static_cast<short>(kind | EV_PERSIST);
  Event ev(check(event_new(base, source, events, handler, arg), "event_new"));
  check(event_add(ev.get(), nullptr), "event_add");
  return ev;
}

void add_or_delete(const Event& ev, bool add) {
  if (!ev || add == (event_pending(ev.get(), EV_READ | EV_SIGNAL | EV_TIMEOUT, nullptr) != 0))
    return;
  add ? event_add(ev.get(), nullptr) : event_del(ev.get());
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

void Timer::at(Clock::time_point deadline) {
  const bool pending = evtimer_pending(ev_.get(), nullptr) != 0;
  if (deadline == kNever || (pending && deadline >= set_)) return;
  start(ev_, std::chrono::ceil<std::chrono::microseconds>(deadline - Clock::now()));
  set_ = deadline;
}

Event add_heartbeat(event_base* base, Worker& worker) {
  const auto interval = worker.heartbeat_interval();
  if (interval.count() == 0) return {};
  const event_callback_fn beat = [](evutil_socket_t, short, void* w) {
    static_cast<Worker*>(w)->print_stats();
  };
  Event ev(check(event_new(base, -1, EV_PERSIST, beat, &worker), "event_new"));
  start(ev, interval);
  return ev;
}

StopEvents add_stop_events(event_base* base, const Worker& worker, event_callback_fn handler,
                           void* arg) {
  StopEvents stop{worker.stop_descriptor(), {}};
  if (stop.descriptor) {
    stop.events.push_back(add_event(base, stop.descriptor.get(), EV_READ, handler, arg));
  } else {
    stop.events.push_back(add_event(base, SIGTERM, EV_SIGNAL, handler, arg));
    stop.events.push_back(add_event(base, SIGINT, EV_SIGNAL, handler, arg));
    unblock_stop_signals();
  }
  return stop;
}

timeval common_timeout(event_base* base, std::chrono::microseconds timeout) {
  const timeval tv = to_timeval(timeout);
  return *check(event_base_init_common_timeout(base, &tv), "event_base_init_common_timeout");
}

Evconnlistener make_listener(event_base* base, UniqueFd socket, evconnlistener_cb accepted,
                             evconnlistener_errorcb error, void* arg) {
  constexpr unsigned kFlags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
  Evconnlistener listener(check(evconnlistener_new(base, accepted, arg, kFlags, 0, socket.get()),
                                "evconnlistener_new"));
  socket.release();
  evconnlistener_set_error_cb(listener.get(), error);
  return listener;
}
