#pragma once
// What the fuzz targets share: how a property is stated, and how an input file says where to cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// A property. Where it does not hold libFuzzer keeps the input.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", property);
  std::abort();
}

// The obvious one: what find_control() must agree with.
inline std::size_t find_control_plainly(std::string_view text, std::size_t from) {
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  };
  while (from < text.size() && !is_control(text[from])) ++from;
  return from;
}

// An input file is the bytes as a peer sends them, then, after the last "\n#", the controls: this
// keeps the files readable. Without "\n#" there are no controls.
struct Input {
  Input(const std::uint8_t* data, std::size_t size)
      : bytes(reinterpret_cast<const char*>(data), size) {
    const std::size_t mark = bytes.rfind("\n#");
    if (mark == std::string_view::npos) return;
    controls = bytes.substr(mark + 2);
    bytes = bytes.substr(0, mark);
  }
  std::string_view bytes;
  std::string_view controls;
};

// How many bytes come at a time, over and over: 'a' to 'z' are 1 to 26 bytes, digits 1 KiB and
// more, '@' is everything. Without a letter: everything at once.
class Steps {
 public:
  explicit Steps(std::string_view letters) : letters_(letters) {}
  std::size_t next() {
    if (letters_.empty()) return SIZE_MAX;
    const auto letter = static_cast<unsigned char>(letters_[at_++ % letters_.size()]);
    const std::size_t size = letter & 0x1fU;
    if (size == 0) return SIZE_MAX;
    return letter < 0x40 ? size * 64 : size;
  }

 private:
  std::string_view letters_;
  std::size_t at_ = 0;
};

// Byte by byte, where that does not take too long.
inline Steps finest(std::size_t size) { return Steps(size <= 1024 ? "a" : "amz"); }
