// What a worker decides without its loop.

#include "common/worker.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "common/check.h"
#include "common/process.h"
#include "tests/unit/support.h"

namespace {

using namespace std::chrono_literals;

// How many clients each of so many loops takes.
std::vector<std::uint64_t> shares(std::uint64_t max_connections, std::size_t threads) {
  Options options;
  options.max_connections = max_connections;
  options.threads = threads;
  const App app;
  std::vector<std::uint64_t> all;
  for (std::size_t i = 0; i < threads; ++i) {
    Stats stats;
    const Worker worker(app, stats, options, i);
    while (worker.admission.accepting()) stats.open.add(1);
    all.push_back(stats.open.get());
  }
  return all;
}

// Two loops of one process, as serve() sets them up, without threads.
class TwoWorkers : public testing::Test {
 protected:
  TwoWorkers() {
    options.threads = 2;
    app.stats = stats;
    for (std::uint64_t i = 0; i < 2; ++i) {
      all.push_back(std::make_unique<Worker>(app, stats[i], options, i));
    }
    all[0]->passes_stops_to(all);
    all[1]->stops_by(UniqueFd(check(eventfd(0, EFD_NONBLOCK), "eventfd")));
  }
  // What the first loop prints while it asks for its deadline.
  std::string printed(Clock::time_point& deadline) {
    testing::internal::CaptureStdout();
    deadline = all[0]->next_deadline();
    return testing::internal::GetCapturedStdout();
  }

  Options options;
  std::array<Stats, 2> stats;
  App app;
  std::vector<std::unique_ptr<Worker>> all;
};

// What a variable holds that is not initialized, where nobody has been before.
[[gnu::noinline]] void fill_stack() {
  std::array<volatile unsigned char, 4096> bytes;
  for (auto& byte : bytes) byte = 0xff;
}

// What the child of a death test found: its exit status says which check failed.
void check_that(bool good, int status) {
  if (!good) _exit(status);
}

}  // namespace

TEST(Worker, SharesAddUpToMaxConnections) {
  EXPECT_THAT(shares(10, 1), testing::ElementsAre(10));
  EXPECT_THAT(shares(10, 3), testing::ElementsAre(4, 3, 3));
  EXPECT_THAT(shares(9, 3), testing::ElementsAre(3, 3, 3));
  EXPECT_THAT(shares(2, 4), testing::ElementsAre(1, 1, 0, 0));
}

TEST(PrintLine, NeverBlocks) {
  std::array<int, 2> ends{};
  check(pipe(ends.data()), "pipe");
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  print_line(out.get(), "a line");
  std::array<char, 64> room{};
  const ssize_t got = read(in.get(), room.data(), room.size());
  EXPECT_EQ(std::string_view(room.data(), static_cast<std::size_t>(got)), "a line\n");

  fcntl(out.get(), F_SETFL, O_NONBLOCK);
  const std::string filler(4096, 'x');
  while (write(out.get(), filler.data(), filler.size()) > 0) {
  }
  fcntl(out.get(), F_SETFL, 0);
  print_line(out.get(), "dropped");  // a pipe that is full, in blocking mode: this returns
  print_line(in.get(), "dropped");   // not for writing: so does this
}

// Fails where the line shows one loop's counters, or one counter under another's name.
TEST_F(TwoWorkers, PrintTheCountersOfBoth) {
  number_counters(stats);
  testing::internal::CaptureStdout();
  all[0]->print_stats();
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "heartbeat: open 1000001, accepted 10000010, requests 100000100, bytes in 1000001000, "
            "bytes out 10000010000, wake-ups 100000100000\n");
}

// Fails where each loop has a heart, or it beats at the start, early, or once.
TEST_F(TwoWorkers, BeatOnceForBothOfThem) {
  options.heartbeat = 2s;
  EXPECT_EQ(all[0]->heartbeat_interval(), 2s);
  EXPECT_EQ(all[1]->heartbeat_interval(), 0s);
  EXPECT_EQ(all[1]->next_deadline(), kNever);
  const Clock::time_point begin = all[0]->now;
  Clock::time_point deadline;
  EXPECT_EQ(printed(deadline), "");
  EXPECT_EQ(deadline, begin + 2s);
  all[0]->now = begin + 2s - 1us;
  EXPECT_EQ(printed(deadline), "");
  for (int beat = 1; beat <= 3; ++beat) {
    all[0]->now = begin + beat * 2s;
    EXPECT_THAT(printed(deadline), testing::StartsWith("heartbeat: "));
    EXPECT_EQ(printed(deadline), "") << "once";
    EXPECT_EQ(deadline, begin + (beat + 1) * 2s);
  }
  all[0]->admission.pause();
  EXPECT_EQ(all[0]->next_deadline(), all[0]->now + 100ms) << "whichever comes first";
}

// Fails where a request to stop stays with the loop that was told, or two become one on the way.
TEST_F(TwoWorkers, AreStoppedTogether) {
  all[0]->stop_all_loops(1);
  EXPECT_TRUE(all[0]->admission.draining());
  EXPECT_FALSE(all[0]->admission.cut_short());
  EXPECT_EQ(all[1]->read_stop_requests(), 1);
  all[0]->stop_all_loops(1);
  all[0]->stop_all_loops(1);
  EXPECT_EQ(all[1]->read_stop_requests(), 2) << "before it was asked";
  all[0]->stop_all_loops(2);
  EXPECT_EQ(all[1]->read_stop_requests(), 2);
  EXPECT_EQ(all[1]->read_stop_requests(), 1) << "told that there are some: at least one";
  all[1]->stop_all_loops(1);
  EXPECT_EQ(all[0]->read_stop_requests(), 1) << "without a signalfd: a library counts signals";
}

// Fails where a last answer is said while the client's bytes wait, or outside of a drain.
TEST_F(TwoWorkers, KnowWhenAClientIsDrained) {
  std::array<int, 2> ends{};
  check(pipe(ends.data()), "pipe");
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  EXPECT_FALSE(all[0]->is_drained(in.get()));
  all[0]->stop_all_loops(1);
  EXPECT_TRUE(all[0]->is_drained(in.get()));
  ASSERT_EQ(write(out.get(), "x", 1), 1);
  EXPECT_FALSE(all[0]->is_drained(in.get()));
}

// Fails where only one of the two signals is read, or a batch of them counts as one.
TEST_F(TwoWorkers, CountTheSignalsThatArePending) {
  EXPECT_EXIT(
      {
        prepare_process();
        UniqueFd signals = stop_signals_descriptor();
        check_that((fcntl(signals.get(), F_GETFD) & FD_CLOEXEC) != 0, 4);
        all[0]->stops_by(std::move(signals));
        raise(SIGINT);
        check_that(all[0]->read_stop_requests() == 1, 2);
        raise(SIGINT);
        raise(SIGTERM);
        check_that(all[0]->read_stop_requests() == 2, 3);
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

// Fails where a batch is not counted, or judged by the clock of the one before.
TEST_F(TwoWorkers, CountAndTimeEachBatch) {
  all[1]->now = {};
  all[1]->wake_up();
  EXPECT_EQ(stats[1].wake_ups.get(), 1U);
  EXPECT_GE(all[1]->now, all[0]->now);
}

TEST(Process, IsPrepared) {
  EXPECT_EXIT(
      {
        // What whoever started this has left open does not count.
        const int next = fcntl(STDERR_FILENO, F_DUPFD, STDERR_FILENO + 1);
        close(next);
        for (int fd = 0; fd <= STDERR_FILENO; ++fd) close(fd);
        rlimit files{};
        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = 64;
        setrlimit(RLIMIT_NOFILE, &files);
        // Nor what is ignored already, by nohup(1) for instance.
        for (const int noisy : {SIGPIPE, SIGHUP}) std::signal(noisy, SIG_DFL);
        prepare_process();
        getrlimit(RLIMIT_NOFILE, &files);
        check_that(files.rlim_cur == files.rlim_max, 7);
        for (int fd = 0; fd <= STDERR_FILENO; ++fd) check_that(fcntl(fd, F_GETFD) >= 0, 2);
        check_that(open("/dev/null", O_RDONLY) == next, 3);  // no more than needed
        struct sigaction action {};
        for (const int ignored : {SIGPIPE, SIGHUP}) {
          sigaction(ignored, nullptr, &action);
          check_that(action.sa_handler == SIG_IGN, 4);
        }
        sigset_t blocked;
        sigprocmask(SIG_SETMASK, nullptr, &blocked);
        check_that(sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1, 5);
        unblock_stop_signals();
        sigprocmask(SIG_SETMASK, nullptr, &blocked);
        check_that(sigismember(&blocked, SIGTERM) == 0 && sigismember(&blocked, SIGINT) == 0, 6);
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

// Fails where a set of signals begins as what the stack holds.
TEST(Process, UnblocksNoOtherSignal) {
  sigset_t all;
  sigset_t before;
  sigset_t blocked;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  fill_stack();
  unblock_stop_signals();
  pthread_sigmask(SIG_SETMASK, &before, &blocked);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE}) {
    EXPECT_EQ(sigismember(&blocked, signal), signal == SIGTERM || signal == SIGINT ? 0 : 1);
  }
}

// Fails where one of the two is still blocked, kills, or ends with an error.
TEST(Process, EndsAtOnceWhenItsLoopsAreGone) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto end = [signal] {
      prepare_process();
      end_at_stop_signals();
      raise(signal);
      _exit(3);
    };
    EXPECT_EXIT(end(), testing::ExitedWithCode(0), "");
  }
}
