// Chunked bodies: the raw bytes, and the data and verdict that come out; in all cuts.

#include "common/http_parser.h"
#include "tests/unit/support.h"

namespace {

struct Limits {
  std::uint32_t max_body = 1000;
  std::size_t field_bytes = 0;
};

// "<data>" and, behind it, "; more" | "; done @<bytes used>" | "; <status>". Data that came before
// a refusal is left out: how much of it was handed out does depend on the cuts, and nobody uses it.
std::string decode(std::string_view raw, Limits limits, const Cuts& cuts) {
  ChunkedDecoder decoder(limits.max_body, limits.field_bytes);
  std::string data;
  std::size_t used = 0;
  for (const std::size_t shown : cuts) {
    while (true) {
      const std::string_view rest = raw.substr(used, shown - used);
      // A copy of just these bytes, so that ASan sees a read past them; not of long ones, for time.
      const std::vector<char> copy(rest.begin(), rest.size() < 500 ? rest.end() : rest.begin());
      const ChunkedDecoder::Piece piece =
          decoder.next(rest.size() < 500 ? std::string_view(copy.data(), copy.size()) : rest);
      if (piece.result.kind == ParseResult::kRefused) return std::to_string(piece.result.status);
      data += piece.data;
      used += piece.used;
      if (piece.result.kind == ParseResult::kComplete) {
        return data + "; done @" + std::to_string(used);
      }
      if (piece.used == 0) break;
    }
  }
  return data + "; more";
}

void check(const std::string& raw, const std::string& expected, Limits limits = {}) {
  SCOPED_TRACE(raw.substr(0, 100));
  const bool done = expected.find(';') == std::string::npos && !std::isdigit(expected[0]);
  const std::string full = done ? expected + "; done @" + std::to_string(raw.size()) : expected;
  for (const Cuts& cuts : all_cuts(raw.size())) {
    ASSERT_EQ(decode(raw, limits, cuts), full) << to_string(cuts);
  }
  if (full.ends_with("; more")) return;
  const std::string followed = raw + "GET / HTTP/1.1\r\n";
  EXPECT_EQ(decode(followed, limits, whole(followed.size())), full);
  EXPECT_EQ(decode(followed, limits, byte_by_byte(followed.size())), full);
}

}  // namespace

TEST(Chunked, Sizes) {
  check("5\r\nhello\r\n0\r\n\r\n", "hello");
  check("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
  check("a\r\n0123456789\r\n0\r\n\r\n", "0123456789; done @20");
  check("A\r\nabcdefghij\r\n0\r\n\r\n", "abcdefghij");
  check("005\r\nhello\r\n000\r\n\r\n", "hello");
  check("000000000000000000000005\r\nhello\r\n0\r\n\r\n", "hello");
  check("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n");
  check("0\r\n\r\n", "; done @5");
  check("1\r\nx\r\n", "x; more");
  check("5\r\nhel", "hel; more");
  check("5\r\nhello", "hello; more");
  check("5\r\nhello\r", "hello; more");
  check("0\r\n", "; more");
  check("0\r\n\r", "; more");
  check("5", "; more");
}

TEST(Chunked, SizesThatAreNone) {
  for (const std::string size : {"", "g", "-5", "+5", "0x5", "5g", " 5", "\t5", "5 ", "5 5", "5\t",
                                 "5,", "\"5\"", "5\x80"}) {
    check(size + "\r\nhello\r\n0\r\n\r\n", "400");
  }
}

TEST(Chunked, LineEnds) {
  check("5\nhello\r\n0\r\n\r\n", "400");
  check("5\rhello\r\n0\r\n\r\n", "400");
  check("5\r\r\nhello\r\n0\r\n\r\n", "400");
  check("5\r\nhello\n0\r\n\r\n", "400");
  check("5\r\nhello\r0\r\n\r\n", "400");
  check("5\r\nhello0\r\n\r\n", "400");
  check("5\r\nhelloX\r\n0\r\n\r\n", "400");
  check("5\r\nhello!\r\n", "400");
  check("4\r\nhello\r\n0\r\n\r\n", "400");
  check("5\r\nhello\r\n\r\n0\r\n\r\n", "400");
  check("0\r\n\n", "400");
  check("0\r\n\rX", "400");
  check("0\n\r\n", "400");
}

TEST(Chunked, Extensions) {
  check("5;a\r\nhello\r\n0\r\n\r\n", "hello");
  check("5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\n\r\n", "hello");
  check("5 \t;a\r\nhello\r\n0\r\n\r\n", "hello");
  check("5;\r\nhello\r\n0\r\n\r\n", "hello");
  check("5;a=\"b;\\\"c\\\\\";d\r\nhello\r\n0\r\n\r\n", "hello");
  check("5;a=\\\"b\"\r\nhello\r\n0\r\n\r\n", "hello");
  check("5;a=\"b\r\nhello\r\n0\r\n\r\n", "400");
  check("5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n", "400");
  check("5;a\nhello\r\n0\r\n\r\n", "400");
  check("5;a\rb\r\nhello\r\n0\r\n\r\n", "400");
  check(std::string("5;a\0b\r\nhello\r\n0\r\n\r\n", 19), "400");
  check("5;\x7f\r\nhello\r\n0\r\n\r\n", "400");
}

TEST(Chunked, ExtensionLimits) {
  const auto line = [](std::size_t size) { return "1;" + std::string(size - 2, 'x') + "\r\n"; };
  const std::string rest = "y\r\n0\r\n\r\n";
  check(line(4096) + rest, "y");
  check(line(4097) + rest, "400");
  check(line(6000) + rest, "400");
  check("1;" + std::string(5000, 'x'), "400");
  check(std::string(4000, '0') + "1\r\n" + rest, "y");  // long, but no extension
  check(std::string(5000, '0'), "400");

  // 64 KiB in one body: 16 lines of 4 KiB, less the 16 digits in them.
  std::string body;
  for (int i = 0; i < 16; ++i) body += line(4096) + "y\r\n";
  check(body + "0;" + std::string(15, 'x') + "\r\n\r\n", std::string(16, 'y'));
  check(body + "0;" + std::string(16, 'x') + "\r\n\r\n", "400");
}

TEST(Chunked, MaxBody) {
  check("5\r\nhello\r\n0\r\n\r\n", "hello", {.max_body = 5});
  check("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", {.max_body = 5});
  check("6\r\n", "413", {.max_body = 5});  // at the size line, before any data
  check("5\r\nhello\r\n1\r\n", "413", {.max_body = 5});
  check("0\r\n\r\n", "; done @5", {.max_body = 0});
  check("1\r\n", "413", {.max_body = 0});
  // None of these wraps around to something small.
  for (const std::string size : {"100000000", "100000005", "fffffffffffffffff", "10000000000000005",
                                 "ffffffffffffffffffffffffffffffff", "80000000", "ffffffff"}) {
    check(size + "\r\n", "413");
    check(size + "\r\n", "413", {.max_body = 1U << 30});
  }
  check("100000000g\r\n", "400");
}

TEST(Chunked, Trailers) {
  check("0\r\nX: y\r\n\r\n", "; done @11");
  check("1\r\nz\r\n0\r\nX: y\r\nContent-Length: 7\r\nZ:\r\n\r\n", "z");
  check("0\r\nX: y\r\n", "; more");
  for (const std::string line :
       {"X", ": y", "X : y", " X: y", "X: y\r\n z", "X: y\n", "X: \x01", "X(: y", "X\x80: y"}) {
    check("0\r\n" + line + "\r\n\r\n", "400");
  }
}

// Trailers and the head's field lines share the 16 KiB.
TEST(Chunked, TrailerLimit) {
  const auto trailer = [](std::size_t size) {
    return "0\r\nX: " + std::string(size - 5, 'x') + "\r\n";
  };
  const std::size_t limit = 16 * 1024;
  check(trailer(limit) + "\r\n", "; done @" + std::to_string(limit + 5));
  check(trailer(limit + 1) + "\r\n", "431");
  check(trailer(limit + 1), "431");
  check(trailer(limit + 2) + "\r\n", "431");
  check(trailer(3 * limit) + "\r\n", "431");
  check(trailer(100) + "\r\n", "; done @105", {.field_bytes = limit - 100});
  check(trailer(101) + "\r\n", "431", {.field_bytes = limit - 100});
  check("0\r\n\r\n", "; done @5", {.field_bytes = limit});
  check("0\r\nX:\r\n\r\n", "431", {.field_bytes = limit});
  std::string many = "0\r\n";
  for (std::size_t i = 0; i < limit / 8; ++i) many += "A: bcd\r\n";
  check(many + "\r\n", "; done @" + std::to_string(limit + 5));
  check(many + "B:\r\n\r\n", "431");
}

TEST(Chunked, LooksAtEachByteOnce) {
  for (std::size_t size = 0; size < 70; ++size) {
    ChunkedDecoder decoder(1000, 0);
    ASSERT_EQ(decoder.next("5;" + std::string(size, 'x')).used, 0U);
    EXPECT_EQ(decoder.next("5;" + std::string(size, '\x01') + "\r\n").used, size + 4);
  }
}

TEST(Chunked, SkipsDataButNotItsEnd) {
  ChunkedDecoder decoder(1000);
  EXPECT_FALSE(decoder.skip(1));
  decoder.next("5\r\n");
  EXPECT_FALSE(decoder.skip(5));
  EXPECT_TRUE(decoder.skip(4));
  EXPECT_FALSE(decoder.skip(1));
  EXPECT_EQ(decoder.next("o\r\n").data, "o");
  EXPECT_FALSE(decoder.skip(1));
}
