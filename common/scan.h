#pragma once
// How many bytes are of some kind, counted several at a time: 16 where the machine has SSE2, 8 in a
// plain 64-bit word elsewhere.
//
// A kind is written once, as a question to a step of any width:
//
//   constexpr auto kDigit = [](auto step) { return step.within('0', '9'); };
//
// The answer has a lane for each byte of the step; lanes go together by & and |, and ~ is "not".

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
  static constexpr std::size_t kLane = 1;  // bits of what gaps() returns for each byte

  explicit Step1(const char* at) : byte_(static_cast<unsigned char>(*at)) {}
  // Both bounds are in, and below 0x80.
  unsigned within(unsigned char low, unsigned char high) const {
    return low <= byte_ && byte_ <= high ? 1 : 0;
  }
  unsigned is(unsigned char c) const { return within(c, c); }
  Step1 lower() const { return Step1(byte_ | 0x20U); }  // what is no letter becomes something else
  // Not 0 if a lane is not set; and the first one that is not.
  static unsigned gaps(unsigned lanes) { return ~lanes & 1; }
  static std::size_t first(unsigned) { return 0; }

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
  std::uint64_t within(unsigned char low, unsigned char high) const {
    const std::uint64_t seven = bytes_ & ~kTop;
    return (seven + all(0x80U - low)) & ~((seven + all(0x7fU - high)) | bytes_);
  }
  std::uint64_t is(unsigned char c) const {
    return ~((((bytes_ & ~kTop) ^ all(c)) + ~kTop) | bytes_);
  }
  Step8 lower() const { return Step8(bytes_ | all(0x20)); }
  static std::uint64_t gaps(std::uint64_t lanes) { return ~lanes & kTop; }
  static std::size_t first(std::uint64_t gaps) {
    return static_cast<std::size_t>(std::countr_zero(gaps)) / 8;
  }

 private:
  explicit Step8(std::uint64_t bytes) : bytes_(bytes) {}
  static constexpr std::uint64_t all(std::uint64_t byte) { return byte * 0x0101010101010101U; }
  static constexpr std::uint64_t kTop = 0x8080808080808080U;

  std::uint64_t bytes_;
};

#ifdef __SSE2__
// Sixteen bytes in a vector. A lane is a byte, all ones or all zeros.
class Step16 {
 public:
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kLane = 1;

  explicit Step16(const char* at) : bytes_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))) {}
  __m128i within(unsigned char low, unsigned char high) const {
    const __m128i above = _mm_sub_epi8(bytes_, all(low));  // what is lower wraps round to the top
    return _mm_cmpeq_epi8(_mm_min_epu8(above, all(high - low)), above);
  }
  __m128i is(unsigned char c) const { return _mm_cmpeq_epi8(bytes_, all(c)); }
  Step16 lower() const { return Step16(_mm_or_si128(bytes_, all(0x20))); }
  static unsigned gaps(__m128i lanes) {
    return static_cast<unsigned>(_mm_movemask_epi8(lanes)) ^ 0xffff;
  }
  static std::size_t first(unsigned gaps) {
    return static_cast<std::size_t>(std::countr_zero(gaps));
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
#else
using Step = Step8;
#endif

// Where the bytes of that kind end that begin at `from`; text.size() if they do not.
template <typename Wide = Step, typename Kind>
std::size_t skip(Kind kind, std::string_view text, std::size_t from) {
  for (; from + Wide::kBytes <= text.size(); from += Wide::kBytes) {
    const auto gaps = Wide::gaps(kind(Wide(text.data() + from)));
    if (gaps != 0) return from + Wide::first(gaps);
  }
  if (from == text.size()) return from;
  if (text.size() < Wide::kBytes) return skip<Step1>(kind, text, from);
  // The rest is shorter than a step: the text's last step is taken, which begins before it, and the
  // lanes that were looked at already are shifted out.
  const std::size_t last = text.size() - Wide::kBytes;
  const auto gaps = Wide::gaps(kind(Wide(text.data() + last))) >> ((from - last) * Wide::kLane);
  return gaps != 0 ? from + Wide::first(gaps) : text.size();
}
