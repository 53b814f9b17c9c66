// What a worker decides without its loop.

#include "common/worker.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/check.h"
#include "common/process.h"
#include "tests/unit/support.h"

namespace {

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
