#include "common/serve.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "common/check.h"
#include "common/command_line.h"
#include "common/process.h"
#include "common/routes.h"

namespace {

using Workers = std::vector<std::unique_ptr<Worker>>;

constexpr std::string_view kPage =
#include "page.inc"
    ;

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
  app.gauges = stage.gauges;
  return app;
}

Workers make_workers(const App& app, std::vector<Stats>& stats, const Options& options) {
  Workers workers;
  for (std::size_t i = 0; i < options.threads; ++i) {
    workers.push_back(std::make_unique<Worker>(app, stats[i], options, i));
  }
  return workers;
}

UniqueFd listen_or_exit(const Options& options, std::uint16_t port, const Stage& stage) {
  std::string error;
  UniqueFd fd = listen_on(options.host, port, error);
  if (!fd) {
    const bool bare_ipv6 = options.host.find(':') != std::string::npos;
    const std::string host = bare_ipv6 ? '[' + options.host + ']' : options.host;
    const std::string where = host + ':' + std::to_string(port);
    refuse(stage.name, "cannot listen on " + where + ": " + error, EXIT_FAILURE);
  }
  return fd;
}

// All of them listen before the first one is announced.
void open_listeners(const Workers& workers, const Options& options, const Stage& stage) {
  std::array<UniqueFd, 2> listeners;
  if (stage.text) listeners[kText] = listen_or_exit(options, options.text_port, stage);
  listeners[kHttp] = listen_or_exit(options, options.http_port, stage);
  for (const Protocol protocol : {kText, kHttp}) {
    if (!listeners[protocol]) continue;
    constexpr std::array<const char*, 2> kNames = {" (text)", " (http)"};
    const std::string address = local_address(listeners[protocol].get());
    print_line(STDOUT_FILENO, "listening on " + address + kNames[protocol]);
    for (const auto& worker : std::span(workers).subspan(1)) {
      worker->listens_on(protocol, duplicate(listeners[protocol]));
    }
    workers.front()->listens_on(protocol, std::move(listeners[protocol]));
  }
}

void open_stop_descriptors(const Workers& workers, Signals signals) {
  if (signals == Signals::signalfd) workers.front()->stops_by(stop_signals_descriptor());
  workers.front()->passes_stops_to(workers);
  for (const auto& worker : std::span(workers).subspan(1)) {
    worker->stops_by(UniqueFd(check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")));
  }
}

// The first loop runs in the main thread.
void run_all(const Workers& workers, void (*run)(Worker&)) {
  std::vector<std::jthread> threads;
  try {
    for (const auto& worker : std::span(workers).subspan(1)) {
      threads.emplace_back(run, std::ref(*worker));
    }
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "thread: %s\n", error.what());
    std::_Exit(EXIT_FAILURE);
  }
  run(*workers.front());
  end_at_stop_signals();  // while other loops still drain
}  // a jthread joins

}  // namespace

int serve(int argc, char** argv, const Stage& stage, Signals signals, void (*run)(Worker&)) {
  const Options options = parse_options(argc, argv, stage);
  prepare_process();
  std::vector<Stats> stats(options.threads);
  const App app = make_app(options, stage, stats);
  const Workers workers = make_workers(app, stats, options);
  open_stop_descriptors(workers, signals);
  open_listeners(workers, options, stage);  // the last step: whoever is told of a port can connect
  run_all(workers, run);
  return EXIT_SUCCESS;
}
