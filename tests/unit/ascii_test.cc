// The fast loops against the obvious ones.

#include "common/ascii.h"

#include <algorithm>

#include "common/http_parser.h"
#include "common/routes.h"
#include "tests/unit/support.h"

namespace {

std::string random_bytes(std::size_t size, std::mt19937& random, int least = 0, int most = 255) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(std::uniform_int_distribution(least, most)(random));
  return bytes;
}

char naive_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

}  // namespace

TEST(AsciiUpper, IsTheNaiveLoopForAllSizesAndOffsets) {
  std::mt19937 random(2);
  for (std::size_t offset = 0; offset < 33; ++offset) {
    for (std::size_t size = 0; size <= 100; ++size) {
      const std::string bytes = random_bytes(offset + size + 3, random);
      const std::string_view from = std::string_view(bytes).substr(offset, size);
      std::string expected(from);
      std::ranges::transform(expected, expected.begin(), naive_upper);

      std::string to(offset + size + 3, '#');
      ascii_upper(from, to.data() + offset);
      EXPECT_EQ(to, std::string(offset, '#') + expected + "###");

      std::string in_place = bytes;
      ascii_upper({in_place.data() + offset, size}, in_place.data() + offset);
      ASSERT_EQ(in_place, bytes.substr(0, offset) + expected + bytes.substr(offset + size));
    }
  }
}

TEST(AsciiUpper, TouchesNoOtherByte) {
  for (int value = 0; value < 256; ++value) {
    const char c = static_cast<char>(value);
    EXPECT_EQ(ascii_upper(c), naive_upper(c)) << value;
  }
}

TEST(Ascii, HexValue) {
  const std::string_view digits = "0123456789abcdef";
  for (int value = 0; value < 256; ++value) {
    const char c = static_cast<char>(value);
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
    const std::size_t at = digits.find(lower);
    EXPECT_EQ(hex_value(c), at == std::string_view::npos ? -1 : static_cast<int>(at)) << value;
  }
}

// Bit 5 tells upper from lower case for letters only: '[' is no '{', and a '-' is no CR.
TEST(Ascii, EqualsIgnoringCase) {
  EXPECT_TRUE(equals_ignoring_case("Keep-Alive", "keep-alive"));
  EXPECT_TRUE(equals_ignoring_case("100-CONTINUE", "100-continue"));
  EXPECT_FALSE(equals_ignoring_case("keep_alive", "keep-alive"));
  EXPECT_FALSE(equals_ignoring_case("keep-aliv", "keep-alive"));
  EXPECT_FALSE(equals_ignoring_case("keep-alive ", "keep-alive"));
  EXPECT_FALSE(equals_ignoring_case("cl\xcfse", "close"));
  EXPECT_FALSE(equals_ignoring_case("", "close"));
}

// Fails where a word is not compared, or not all of it: sizes of one word, two, and some that
// overlap.
TEST(Ascii, EqualsIgnoringCaseLooksAtEachByte) {
  const auto all = [](const auto& lower) {
    const std::string name(lower);
    for (std::size_t at = 0; at < name.size(); ++at) {
      std::string other = name;
      other[at] = naive_upper(other[at]);
      EXPECT_TRUE(equals_ignoring_case(other, lower)) << other;
      for (int value = ' '; value < 256; ++value) {
        other[at] = static_cast<char>(value);
        const bool same = (value >= 'A' && value <= 'Z' ? value + 32 : value) ==
                          static_cast<unsigned char>(name[at]);
        ASSERT_EQ(equals_ignoring_case(other, lower), same) << other;
      }
    }
  };
  all("host");
  all("close");
  all("chunked");
  all("http-2-x");
  all("keep-alive");
  all("authorization");
  all("0123456789abcdef");
  all("transfer-encoding");
}

TEST(Ascii, TrimTakesSpacesAndTabsOnly) {
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim("\va"), "\va");
  EXPECT_EQ(trim(" \t"), "");
  const std::vector<char> blanks(3, ' ');  // ASan sees who looks for a fourth
  EXPECT_EQ(trim({blanks.data(), blanks.size()}), "");
}

// RFC 4648, section 10.
TEST(Base64, KnowsTheVectorsOfTheRfc) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Authorized, OnlyByTheWholeSecret) {
  const std::string secret = base64("me:pass");
  EXPECT_TRUE(authorized("Basic " + secret, secret));
  EXPECT_TRUE(authorized("bASIC   " + secret, secret));
  EXPECT_FALSE(authorized("", secret));
  EXPECT_FALSE(authorized("Basic", secret));
  EXPECT_FALSE(authorized("Basic ", secret));
  EXPECT_FALSE(authorized("Basic" + secret, secret));
  EXPECT_FALSE(authorized("Bearer " + secret, secret));
  EXPECT_FALSE(authorized("Basic " + secret.substr(0, secret.size() - 1), secret));
  EXPECT_FALSE(authorized("Basic " + secret + "=", secret));
  EXPECT_FALSE(authorized("Basic " + secret + secret, secret));
  for (std::size_t at = 0; at < secret.size(); ++at) {
    std::string other = secret;
    other[at] ^= 1;
    EXPECT_FALSE(authorized("Basic " + other, secret)) << other;
  }
}
