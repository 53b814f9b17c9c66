// The two loops that are written for vector instructions say the same as one byte at a time.

#include <string>

#include "common/ascii.h"
#include "common/http_parser.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t from = 0; from <= size; from = find_control(text, from) + 1) {
    require(find_control(text, from) == find_control_plainly(text, from), "find_control");
  }
  std::string upper = text;
  ascii_upper(upper, upper.data());
  for (std::size_t i = 0; i < size; ++i) {
    const bool letter = text[i] >= 'a' && text[i] <= 'z';
    require(upper[i] == (letter ? text[i] - 32 : text[i]), "ascii_upper");
  }
  return 0;
}
