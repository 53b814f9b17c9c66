#pragma once
// The few character rules that the text port, the parser and the routes share. ASCII only: a byte
// of a UTF-8 sequence is never touched, because none of them is below 0x80.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

constexpr char ascii_upper(char c) {
  return static_cast<char>('a' <= c && c <= 'z' ? c - ('a' - 'A') : c);
}

// a-z become A-Z, every other byte stays. `to` may be `from` itself.
// 16 bytes are computed with as one, which g++ and clang++ can for any machine (vector extensions).
// Moved so that 'z' is the greatest of the signed numbers, one comparison has both bounds; it
// answers -1 for each byte where it is true, and 0 elsewhere.
[[gnu::noinline]] inline void ascii_upper(std::string_view from, char* to) {
  using Bytes = std::uint8_t __attribute__((vector_size(16)));
  using Signed = std::int8_t __attribute__((vector_size(16)));
  std::size_t at = 0;
#pragma GCC unroll 4
  for (; at + sizeof(Bytes) <= from.size(); at += sizeof(Bytes)) {
    Bytes bytes;
    std::memcpy(&bytes, from.data() + at, sizeof(bytes));
    const auto lower = reinterpret_cast<Signed>(bytes + (0x7f - 'z')) > 0x7f - 26;
    bytes -= reinterpret_cast<Bytes>(lower) & ('a' - 'A');
    std::memcpy(to + at, &bytes, sizeof(bytes));
  }
  for (; at < from.size(); ++at) to[at] = ascii_upper(from[at]);
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The bytes at `text` as one number, in lower case where they are letters. Setting bit 5 makes a
// letter lower case and, but for controls, turns nothing else into a letter, a digit or '-'.
template <typename Word>
Word lower_word(const char* text) {
  Word word;
  std::memcpy(&word, text, sizeof(word));
  return word | static_cast<Word>(0x2020202020202020U);
}

// `lower` is written in lower case: letters, digits and '-' only, 4 or more; `text` holds no
// control characters. A word at a time; the last one ends where the text ends and may overlap the
// one before it, so that no byte is left to be compared alone.
template <std::size_t N>
bool equals_ignoring_case(std::string_view text, const char (&lower)[N]) {
  constexpr std::size_t kSize = N - 1;
  using Word = std::conditional_t<(kSize < sizeof(std::uint64_t)), std::uint32_t, std::uint64_t>;
  static_assert(kSize >= sizeof(Word));
  constexpr std::size_t kLast = kSize - sizeof(Word);
  if (text.size() != kSize) return false;
  Word different = lower_word<Word>(text.data() + kLast) ^ lower_word<Word>(lower + kLast);
  for (std::size_t at = 0; at < kLast; at += sizeof(Word)) {
    different |= lower_word<Word>(text.data() + at) ^ lower_word<Word>(lower + at);
  }
  return different == 0;
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Without the optional white space around a value (RFC 9110, section 5.6.3).
constexpr std::string_view trim(std::string_view value) {
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  return value;
}
