// Three parsers, built with steps of 1, 8 and 16 bytes: they say the same of the same head, however
// each of them gets it.

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/steps_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input(data, size);
  const std::uint64_t by_1 = by_step1::outcome(input.bytes, Steps(""));
  require(by_1 == by_step8::outcome(input.bytes, Steps(input.controls)), "8 bytes, as cut");
  require(by_1 == by_step16::outcome(input.bytes, Steps(input.controls)), "16 bytes, as cut");
  require(by_1 == by_step8::outcome(input.bytes, Steps("")), "8 bytes");
  require(by_1 == by_step16::outcome(input.bytes, Steps("")), "16 bytes");
  return 0;
}
