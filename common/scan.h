#pragma once
// The first byte of some kind, looked for in several at a time: 16 where the machine has SSE2, 8 in
// a plain 64-bit word elsewhere.
//
// A kind is written once, as a question to a step of any width:
//
//   constexpr auto kNoDigit = [](auto step) { return step.outside('0', '9'); };
//
// The answer has a lane for each byte of the step; lanes go together by & and |, and ~ is "not".
// It is "outside", not "within", because that is what ends a search: what costs least is asked.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// One byte: what the wider steps must agree with, and what is left when they do not fit any more.
class Step1 {
 public:
  static constexpr std::size_t kBytes = 1;
  static constexpr std::size_t kLane = 1;  // bits of what hits() returns for each byte

  explicit Step1(const char* at) : byte_(static_cast<unsigned char>(*at)) {}
  // Both bounds are below 0x80, and not outside.
  unsigned outside(unsigned char low, unsigned char high) const {
    return byte_ < low || high < byte_ ? 1 : 0;
  }
  unsigned is(unsigned char c) const { return byte_ == c ? 1 : 0; }
  Step1 lower() const { return Step1(byte_ | 0x20U); }  // what is no letter becomes something else
  // Not 0 if a lane is set; and the first one that is, kBytes if none is.
  static unsigned hits(unsigned lanes) { return lanes & 1; }
  static std::size_t first(unsigned hits) { return hits ^ 1; }

 private:
  explicit Step1(unsigned byte) : byte_(byte) {}
  unsigned byte_;
};

// Eight bytes in a word. A lane is the top bit of its byte: no sum carries into the next byte,
// because its parts are at most 0x7f and 0x80.
class Step8 {
 public:
  static constexpr std::size_t kBytes = 8;
  static constexpr std::size_t kLane = 8;

  explicit Step8(const char* at) { std::memcpy(&bytes_, at, kBytes); }
  std::uint64_t outside(unsigned char low, unsigned char high) const {
    const std::uint64_t seven = bytes_ & ~kTop;
    return ~(seven + all(0x80U - low)) | (seven + all(0x7fU - high)) | bytes_;
  }
  std::uint64_t is(unsigned char c) const {
    return ~((((bytes_ & ~kTop) ^ all(c)) + ~kTop) | bytes_);
  }
  Step8 lower() const { return Step8(bytes_ | all(0x20)); }
  static std::uint64_t hits(std::uint64_t lanes) { return lanes & kTop; }
  static std::size_t first(std::uint64_t hits) {
    return static_cast<std::size_t>(std::countr_zero(hits)) / 8;
  }

 private:
  explicit Step8(std::uint64_t bytes) : bytes_(bytes) {}
  static constexpr std::uint64_t all(std::uint64_t byte) { return byte * 0x0101010101010101U; }
  static constexpr std::uint64_t kTop = 0x8080808080808080U;

  std::uint64_t bytes_;
};

#ifdef __SSE2__
// Sixteen bytes in a vector. Here, too, a lane is the top bit of its byte.
class Step16 {
 public:
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kLane = 1;

  explicit Step16(const char* at) : bytes_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))) {}
  __m128i outside(unsigned char low, unsigned char high) const {
    const __m128i above = _mm_sub_epi8(bytes_, all(low));   // what is lower wraps round to the top
    return _mm_adds_epu8(above, all(0x7f - (high - low)));  // 0x80 or more, and 0xff at most
  }
  __m128i is(unsigned char c) const { return _mm_cmpeq_epi8(bytes_, all(c)); }
  Step16 lower() const { return Step16(_mm_or_si128(bytes_, all(0x20))); }
  static unsigned hits(__m128i lanes) { return static_cast<unsigned>(_mm_movemask_epi8(lanes)); }
  static std::size_t first(unsigned hits) {
    return static_cast<std::size_t>(std::countr_zero(hits | 0x10000));
  }

 private:
  explicit Step16(__m128i bytes) : bytes_(bytes) {}
  static __m128i all(int byte) { return _mm_set1_epi8(static_cast<char>(byte)); }

  __m128i bytes_;
};
#endif

#if defined(LAB_STEP)  // the tests compare all of them
using Step = LAB_STEP;
#elif defined(__SSE2__)
using Step = Step16;
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__  // first() takes the lowest byte for the first one
using Step = Step8;
#else
using Step = Step1;
#endif

// Where the first byte of that kind stands, from `from` on; text.size() if there is none.
template <typename Wide = Step, typename Kind>
std::size_t find(Kind kind, std::string_view text, std::size_t from) {
  for (; from + Wide::kBytes <= text.size(); from += Wide::kBytes) {
    const auto hits = Wide::hits(kind(Wide(text.data() + from)));
    if (hits != 0) return from + Wide::first(hits);
  }
  if (from == text.size()) return from;
  if (text.size() < Wide::kBytes) return find<Step1>(kind, text, from);
  // The rest is shorter than a step: the text's last step is taken, which begins before it, and the
  // lanes that were looked at already are shifted out.
  const std::size_t last = text.size() - Wide::kBytes;
  const auto hits = Wide::hits(kind(Wide(text.data() + last))) >> ((from - last) * Wide::kLane);
  return hits != 0 ? from + Wide::first(hits) : text.size();
}
