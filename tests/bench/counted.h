#pragma once
// Under callgrind: runs each workload and has its cost dumped under the workload's name.
// tests/bench/instructions.py reads the dumps.

#include <valgrind/callgrind.h>

#include <ctime>
#include <initializer_list>

// The clock stands still: a Date that is formatted anew in the middle would be counted.
extern "C" std::time_t time(std::time_t*) noexcept { return 1'000'000'000; }

constexpr int kRuns = 100;

// Two dumps, of 100 and of 200 runs: what they differ by has no set-up in it. A first run pays for
// what is allocated or resolved once.
template <typename Work>
void count(const char* name, Work&& work) {
  work();
  for (const int runs : {kRuns, 2 * kRuns}) {
    CALLGRIND_ZERO_STATS;
    for (int i = 0; i < runs; ++i) work();
    CALLGRIND_DUMP_STATS_AT(name);
  }
}
