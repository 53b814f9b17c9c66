// The steps of several bytes against the step of one, and that against the plain question.

#include "common/scan.h"

#include <algorithm>

#include "common/http_parser.h"
#include "tests/unit/support.h"

namespace {

bool is_control(unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }

struct Case {
  std::size_t (*find1)(std::string_view, std::size_t);
  std::size_t (*find8)(std::string_view, std::size_t);
  std::size_t (*find16)(std::string_view, std::size_t);
  bool (*holds)(unsigned char);
};

#ifdef __SSE2__
using Widest = Step16;
#else
using Widest = Step8;
#endif

template <typename Kind>
constexpr Case one(Kind, bool (*holds)(unsigned char)) {
  return {[](std::string_view text, std::size_t from) { return find<Step1>(Kind{}, text, from); },
          [](std::string_view text, std::size_t from) { return find<Step8>(Kind{}, text, from); },
          [](std::string_view text, std::size_t from) { return find<Widest>(Kind{}, text, from); },
          holds};
}

// Each thing that a step can be asked, at both ends of the ASCII and in between.
const std::vector<Case> kCases = {
    one([](auto step) { return step.outside(' ', '~'); },
        [](unsigned char c) { return c < ' ' || c > '~'; }),
    one([](auto step) { return step.outside(0, 0x1f); }, [](unsigned char c) { return c > 0x1f; }),
    one([](auto step) { return ~step.outside('a', 0x7f); },
        [](unsigned char c) { return c >= 'a' && c <= 0x7f; }),
    one([](auto step) { return step.is('x'); }, [](unsigned char c) { return c == 'x'; }),
    one([](auto step) { return ~step.is(0x7f); }, [](unsigned char c) { return c != 0x7f; }),
    one([](auto step) { return (step.is(0) & ~step.is('\t')) | step.is(0x7f); },
        [](unsigned char c) { return c == 0 || c == 0x7f; }),
    one([](auto step) { return step.lower().outside('a', 'z') & ~step.is('-'); },
        [](unsigned char c) { return (c >= 0x80 || std::isalpha(c) == 0) && c != '-'; }),
};

std::size_t naive(const Case& kind, std::string_view text, std::size_t from) {
  while (from < text.size() && !kind.holds(static_cast<unsigned char>(text[from]))) ++from;
  return from;
}

// A byte that is not of that kind, to fill a text with: the first one.
char filler(const Case& kind) {
  int value = 0;
  while (kind.holds(static_cast<unsigned char>(value))) ++value;
  return static_cast<char>(value);
}

}  // namespace

// Fails where a kind is wrong for one value of a byte in one lane of a step, where the rest that is
// shorter than a step counts a lane twice or not at all, and (under ASan) where a step reads beyond
// the text: each byte value at each place of a text of each size, at each alignment.
TEST(Scan, EachStepFindsEachByteValueAtEachPlace) {
  for (const Case& kind : kCases) {
    for (std::size_t size = 0; size <= 50; size += size < 34 ? 1 : 5) {
      const std::size_t offset = size % 16;
      const std::vector<char> exact(offset + size, filler(kind));
      std::vector<char> bytes = exact;
      const std::string_view text(bytes.data() + offset, size);
      for (std::size_t at = 0; at < size; ++at) {
        for (int value = 0; value < 256; ++value) {
          bytes[offset + at] = static_cast<char>(value);
          const std::size_t expected = kind.holds(static_cast<unsigned char>(value)) ? at : size;
          ASSERT_EQ(kind.find1(text, 0), expected) << value << ' ' << size;
          ASSERT_EQ(kind.find8(text, 0), expected) << value << ' ' << size;
          ASSERT_EQ(kind.find16(text, 0), expected) << value << ' ' << size;
        }
        bytes[offset + at] = exact[0];
      }
    }
  }
}

// Fails where a search that begins in the middle finds what stands before it.
TEST(Scan, EachStepAgreesFromEachPlaceOfRandomBytes) {
  std::mt19937 random(1);
  for (const Case& kind : kCases) {
    for (std::size_t offset = 0; offset < 16; ++offset) {
      for (std::size_t size = 0; size <= 70; ++size) {
        std::vector<char> bytes(offset + size, filler(kind));
        for (std::size_t i = 0; i < bytes.size(); i += 1 + random() % 40) {
          bytes[i] = static_cast<char>(random());
        }
        const std::string_view text(bytes.data() + offset, size);
        for (std::size_t from = 0; from <= size; ++from) {
          const std::size_t expected = naive(kind, text, from);
          ASSERT_EQ(kind.find1(text, from), expected);
          ASSERT_EQ(kind.find8(text, from), expected);
          ASSERT_EQ(kind.find16(text, from), expected);
        }
      }
    }
  }
}

// Fails where the short question takes a control for printable, or where what is neither printable
// nor a control (a tab, a byte of UTF-8) ends the search.
TEST(FindControl, FindsEachByteValueAtEachPlace) {
  for (std::size_t size = 0; size <= 50; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char behind : {'x', '\t', '\xc3'}) {
        std::vector<char> bytes(size, 'x');
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), behind);
        const std::string_view text(bytes.data(), size);
        for (int value = 0; value < 256; value += size % 16 == at ? 1 : 7) {
          bytes[at] = static_cast<char>(value);
          const bool control = is_control(static_cast<unsigned char>(value));
          ASSERT_EQ(find_control(text, 0), control ? at : size) << value << ' ' << size;
        }
      }
    }
  }
}
