#pragma once
// What every stage's main() would have to do: flags, signals, listening sockets, threads. A stage
// brings its loop.

#include "common/check.h"
#include "common/options.h"
#include "common/worker.h"

enum class Signals : std::uint8_t { signalfd, by_stage };

// Runs `run` in --threads workers until all return. The exit status of the process: 0, or it exits
// before any loop runs, with one line on stderr (2: a flag, 1: the system).
int serve(int argc, char** argv, const Stage& stage, Signals signals, void (*run)(Worker&));
