#include "common/worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "common/command_line.h"
#include "common/routes.h"

namespace {

constexpr std::string_view kPage =
#include "page.inc"
    ;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// A descriptor below 3 that is closed would be given to the next socket, and whatever is printed
// then would go to a client.
void occupy_standard_descriptors() {
  int fd = 0;
  do fd = check(open("/dev/null", O_RDWR), "open /dev/null");
  while (fd <= STDERR_FILENO);
  close(fd);
}

void prepare_process() {
  occupy_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  const sigset_t stop = stop_signals();
  check(pthread_sigmask(SIG_BLOCK, &stop, nullptr), "pthread_sigmask");
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);  // as many clients as we may; fewer is no reason not to start
  }
  // Large blocks go straight back to the kernel: without this, malloc learns to keep what was
  // freed.
  mallopt(M_MMAP_THRESHOLD, 4 * BufferPool::kBlockSize);
}

App make_app(const Options& options, const Stage& stage, std::span<const Stats> stats) {
  App app;
  app.stage = stage.name;
  app.page = kPage;
  constexpr std::string_view kPlaceholder = "{{stage}}";
  for (std::size_t at = app.page.find(kPlaceholder); at != std::string::npos;
       at = app.page.find(kPlaceholder, at)) {
    app.page.replace(at, kPlaceholder.size(), stage.name);
  }
  app.credentials = base64(options.auth);
  app.max_body = options.max_body;
  app.text_upper = options.text_upper;
  app.stats = stats;
  if (options.count_memory) app.libevent_bytes = stage.libevent_bytes;
  return app;
}

UniqueFd listen_or_exit(const Options& options, std::uint16_t port, const Stage& stage) {
  std::string error;
  UniqueFd fd = listen_on(options.host, port, error);
  if (!fd) {
    const bool bare_ipv6 = options.host.find(':') != std::string::npos;
    const std::string host = bare_ipv6 ? '[' + options.host + ']' : options.host;
    print_error(std::string(stage.name) + ": cannot listen on " + host + ':' +
                std::to_string(port) + ": " + error);
    std::exit(EXIT_FAILURE);
  }
  return fd;
}

UniqueFd duplicate(const UniqueFd& fd) {
  return UniqueFd(check(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0), "fcntl"));
}

}  // namespace

Worker::Worker(const App& app, Stats& counters, const Options& flags, std::uint64_t index)
    : options(flags),
      context{app, counters},
      stats(counters),
      share_(flags.max_connections / flags.threads +
             (index < flags.max_connections % flags.threads ? 1 : 0)) {}

UniqueFd Worker::stop_descriptor() const { return stop_ ? duplicate(stop_) : UniqueFd(); }

int Worker::take_stop_requests() {
  int count = 0;
  if (peers_.empty()) {
    eventfd_t requests = 0;
    if (eventfd_read(stop_.get(), &requests) == 0) count = static_cast<int>(requests);
  } else if (stop_) {
    signalfd_siginfo info{};
    while (read(stop_.get(), &info, sizeof info) > 0) ++count;
  }
  count = std::max(count, 1);
  for (const auto& peer : peers_) {
    if (peer.get() != this) eventfd_write(peer->stop_.get(), static_cast<eventfd_t>(count));
  }
  return count;
}

std::chrono::microseconds Worker::heartbeat_interval() const {
  return peers_.empty() ? std::chrono::microseconds(0) : options.heartbeat;
}

Clock::time_point Worker::heartbeat() {
  const auto interval = heartbeat_interval();
  if (interval.count() == 0) return kNever;
  if (next_beat_ <= now) {
    if (next_beat_ != Clock::time_point()) print_stats();
    next_beat_ = now + interval;
  }
  return next_beat_;
}

void Worker::print_stats() const {
  const auto total = [this](Counter Stats::*counter) {
    return std::to_string(sum(context.app.stats, counter));
  };
  print_line(STDOUT_FILENO, "heartbeat: open " + total(&Stats::open) + ", accepted " +
                                total(&Stats::accepted) + ", requests " + total(&Stats::requests) +
                                ", bytes in " + total(&Stats::bytes_in) + ", bytes out " +
                                total(&Stats::bytes_out) + ", wake-ups " + total(&Stats::wake_ups));
}

void Worker::unblock_stop_signals() {
  const sigset_t stop_set = stop_signals();
  check(pthread_sigmask(SIG_UNBLOCK, &stop_set, nullptr), "pthread_sigmask");
}

int serve(int argc, char** argv, const Stage& stage, Signals signals, void (*run)(Worker&)) {
  const Options options = parse_options(argc, argv, stage);
  prepare_process();

  std::vector<Stats> stats(options.threads);
  const App app = make_app(options, stage, stats);
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::uint64_t i = 0; i < options.threads; ++i) {
    workers.push_back(std::make_unique<Worker>(app, stats[i], options, i));
  }
  Worker& first = *workers.front();
  if (stage.text) first.listeners[kText] = listen_or_exit(options, options.text_port, stage);
  first.listeners[kHttp] = listen_or_exit(options, options.http_port, stage);
  if (signals == Signals::signalfd) {
    const sigset_t stop = stop_signals();
    first.stop_.reset(check(signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC), "signalfd"));
  }
  first.peers_ = workers;
  for (std::uint64_t i = 1; i < options.threads; ++i) {
    for (const Protocol port : {kText, kHttp}) {
      if (first.listeners[port]) workers[i]->listeners[port] = duplicate(first.listeners[port]);
    }
    workers[i]->stop_.reset(check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"));
  }
  constexpr std::array<const char*, 2> kNames = {" (text)", " (http)"};
  for (const Protocol port : {kText, kHttp}) {
    if (!first.listeners[port]) continue;
    print_line(STDOUT_FILENO,
               "listening on " + local_address(first.listeners[port].get()) + kNames[port]);
  }

  std::vector<std::jthread> threads;
  try {
    for (std::uint64_t i = 1; i < options.threads; ++i) {
      threads.emplace_back(run, std::ref(*workers[i]));
    }
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "thread: %s\n", error.what());
    std::_Exit(EXIT_FAILURE);
  }
  run(first);
  // Other loops may still be draining, and a second signal has no loop left to come to.
  std::signal(SIGTERM, [](int) { std::_Exit(EXIT_SUCCESS); });
  std::signal(SIGINT, [](int) { std::_Exit(EXIT_SUCCESS); });
  Worker::unblock_stop_signals();
  return EXIT_SUCCESS;  // after the threads: jthread joins
}

void print_line(int fd, const std::string& line) {
  pollfd out{.fd = fd, .events = POLLOUT, .revents = 0};
  if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
  const std::string whole = line + '\n';
  if (write(fd, whole.data(), whole.size()) < 0) return;
}
