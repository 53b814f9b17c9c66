#pragma once
// A parser for each step of common/scan.h. steps_parser.cc is compiled once for each of them, with
// -DPARSER=by_step8 -DLAB_STEP=Step8 and so on: the parser's own source, in a namespace.

#include <cstdint>
#include <string_view>

#include "tests/fuzz/fuzz.h"

// A hash of all that the parser says of `message`, which it is shown step by step.
namespace by_step1 {
std::uint64_t outcome(std::string_view message, Steps steps);
}
namespace by_step8 {
std::uint64_t outcome(std::string_view message, Steps steps);
}
namespace by_step16 {
std::uint64_t outcome(std::string_view message, Steps steps);
}
