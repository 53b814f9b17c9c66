// The request head: a text, and what the parser says about it. Each text is shown whole, byte by
// byte, cut at every position, and with another request behind it; the parser must say the same
// every time (h11's habit, and the point of http_parser.h).

#include "common/http_parser.h"
#include "tests/unit/support.h"

namespace {

constexpr std::string_view kNext = "GET /next HTTP/1.1\r\nHost: b\r\n\r\n";

std::string name_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::delete_:
      return "DELETE";
    case Method::connect:
      return "CONNECT";
    case Method::options:
      return "OPTIONS";
    case Method::trace:
      return "TRACE";
    case Method::patch:
      return "PATCH";
    case Method::unknown:
      break;
  }
  return "?";
}

// What a complete head says: only what is out of the ordinary is mentioned.
std::string describe(const HttpParser& parser, std::string_view message) {
  const Request request = parser.request(message);
  std::string text = name_of(request.method) + ' ' + std::string(request.path);
  if (!request.query.empty()) text += " query=" + std::string(request.query);
  if (parser.is_http_1_0()) text += " 1.0";
  if (parser.keep_alive() == parser.is_http_1_0()) text += parser.keep_alive() ? " keep" : " close";
  if (parser.chunked()) text += " chunked";
  if (parser.content_length() != 0) text += " length=" + std::to_string(parser.content_length());
  if (parser.expects() && !parser.expects_unknown()) text += " expects-continue";
  if (parser.expects_unknown()) text += " expects-unknown";
  if (!request.content_type.empty()) text += " type=" + std::string(request.content_type);
  if (!request.authorization.empty()) text += " auth=" + std::string(request.authorization);
  return text;
}

// "more" | the refusal's status | what describe() says, " @" and the head's size.
std::string parse(std::string_view text, const Cuts& cuts) {
  HttpParser parser;
  for (const std::size_t shown : cuts) {
    // A copy of just these bytes, at another address each time: reading past the end or keeping a
    // pointer is an ASan error. (Long ones are shown in place, for time's sake.)
    const std::string_view bytes = text.substr(0, shown);
    const std::vector<char> copy(bytes.begin(), shown < 500 ? bytes.end() : bytes.begin());
    const std::string_view message =
        shown < 500 ? std::string_view(copy.data(), copy.size()) : bytes;
    const ParseResult result = parser.parse(message);
    if (result.kind == ParseResult::kRefused) return std::to_string(result.status);
    if (result.kind == ParseResult::kComplete) {
      // From yet another copy: the views are made of offsets.
      const std::string elsewhere(message);
      return describe(parser, elsewhere) + " @" + std::to_string(parser.head_size());
    }
  }
  return "more";
}

struct Case {
  std::string text;
  std::string expected;  // without " @size": that must be all of the text
};

class Parser : public testing::Test {
 protected:
  static void check(const std::vector<Case>& cases) {
    for (const Case& c : cases) check(c);
  }
  static void check(const Case& c) {
    SCOPED_TRACE(c.text.substr(0, 200));
    const bool complete = c.expected != "more" && c.expected.find(' ') != std::string::npos;
    const std::string expected =
        complete ? c.expected + " @" + std::to_string(c.text.size()) : c.expected;
    for (const Cuts& cuts : all_cuts(c.text.size())) {
      ASSERT_EQ(parse(c.text, cuts), expected) << to_string(cuts);
    }
    if (expected == "more") return;
    const std::string followed = c.text + std::string(kNext);
    EXPECT_EQ(parse(followed, whole(followed.size())), expected) << "with a request behind it";
    EXPECT_EQ(parse(followed, byte_by_byte(followed.size())), expected) << "with one behind it";
  }
};

std::string head(std::string_view request_line, std::string_view fields = "") {
  return std::string(request_line) + "\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
std::string field(std::string_view line) {
  return head("GET / HTTP/1.1", std::string(line) + "\r\n");
}
std::string post(std::string_view line) {
  return head("POST / HTTP/1.1", std::string(line) + "\r\n");
}
std::string host(std::string_view line) {
  return "GET / HTTP/1.1\r\n" + std::string(line) + "\r\n\r\n";
}

}  // namespace

TEST_F(Parser, Host) {
  check({
      {host("Host: example.org"), "GET /"},
      {host("Host: example.org:8080"), "GET /"},
      {host("Host: 127.0.0.1"), "GET /"},
      {host("Host: [::1]"), "GET /"},
      {host("Host: [::ffff:1.2.3.4]:80"), "GET /"},
      {host("Host: [v1.a:b-c]:80"), "GET /"},
      {host("Host: [v0.a]"), "GET /"},
      {host("Host:"), "GET /"},
      {host("Host: \t "), "GET /"},
      {host("hOSt:a"), "GET /"},
      {host("Host: a%20b"), "GET /"},
      {host("Host: %41%42c"), "GET /"},
      {host("Host: a:"), "GET /"},
      {host("Accept: */*"), "400"},
      {host("Host: a\r\nHost: a"), "400"},
      {host("Host: a\r\nhost:"), "400"},
      {host("Host: a b"), "400"},
      {host("Host: a, b"), "400"},
      {host("Host: a/b"), "400"},
      {host("Host: user@a"), "400"},
      {host("Host: a:b"), "400"},
      {host("Host: a:80:80"), "400"},
      {host("Host: [::1"), "400"},
      {host("Host: []"), "400"},
      {host("Host: [::g]"), "400"},
      {host("Host: [.]"), "400"},
      {host("Host: [1]"), "400"},
      {host("Host: [1:2:3:4:5:6:7:8:9]"), "400"},
      {host("Host: [::1.2.3]"), "400"},
      {host("Host: [" + std::string(46, '1') + "]"), "400"},
      {host("Host: [v.a]"), "400"},
      {host("Host: [vg.a]"), "400"},
      {host("Host: [v1]"), "400"},
      {host("Host: [v1.]"), "400"},
      {host("Host: [v1.a/b]"), "400"},
      {host("Host: [::1]80"), "400"},
      {host("Host: ::1"), "400"},
      {host("Host: a%20/"), "400"},
      {host("Host: a%2"), "400"},
      {host("Host: a%"), "400"},
      {host("Host: a%zz"), "400"},
      {host("Host: a%2:80"), "400"},
      {host("Host: a\x80"), "400"},
      {"GET / HTTP/1.0\r\n\r\n", "GET / 1.0"},
      {"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400"},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "400"},
  });
}

TEST_F(Parser, Versions) {
  check({
      {head("GET / HTTP/1.0"), "GET / 1.0"},
      {head("GET / HTTP/1.1"), "GET /"},
      {head("GET / HTTP/1.2"), "GET /"},
      {head("GET / HTTP/1.9"), "GET /"},
      {head("GET / HTTP/2.0"), "505"},
      {head("GET / HTTP/3.0"), "505"},
      {head("GET / HTTP/0.9"), "400"},
      {head("GET / HTTP/1.10"), "400"},
      {head("GET / HTTP/1"), "400"},
      {head("GET / HTTP/1."), "400"},
      {head("GET / HTTP/.1"), "400"},
      {head("GET / HTTP/1,1"), "400"},
      {head("GET / HTTP/x.1"), "400"},
      {head("GET / http/1.1"), "400"},
      {head("GET / HTTPS/1.1"), "400"},
      {head("GET / HTTP/1.1 "), "400"},
      {head("GET /  HTTP/1.1"), "400"},
      {head("GET /\tHTTP/1.1"), "400"},
      {head("GET / "), "400"},
      {"GET /\r\n", "400"},  // HTTP/0.9 as it was
  });
}

TEST_F(Parser, Methods) {
  for (const std::string method :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}) {
    check({head(method + " / HTTP/1.1"), method + " /"});
    std::string other = method;  // as long, and so compared with the same names
    other.back() = 'X';
    check({head(other + " / HTTP/1.1"), "? /"});
  }
  check({
      {head("BREW / HTTP/1.1"), "? /"},
      {head("get / HTTP/1.1"), "? /"},
      {head("GETS / HTTP/1.1"), "? /"},
      {head("PROPFIND / HTTP/1.1"), "? /"},
      {head("!#$%&'*+-.^_`|~ / HTTP/1.1"), "? /"},
      {head("G@T / HTTP/1.1"), "400"},
      {head("G\x80T / HTTP/1.1"), "400"},
      {head("GET: / HTTP/1.1"), "400"},
      {head(" GET / HTTP/1.1"), "400"},
      {head("\tGET / HTTP/1.1"), "400"},
      {head("GET"), "400"},
      {head("GET "), "400"},
      {head("/"), "400"},
  });
}

TEST_F(Parser, Targets) {
  check({
      {head("GET /a/b?c=d?e HTTP/1.1"), "GET /a/b query=c=d?e"},
      {head("GET /? HTTP/1.1"), "GET /"},
      {head("GET //a HTTP/1.1"), "GET //a"},
      {head("GET /%41%2f%C3 HTTP/1.1"), "GET /%41%2f%C3"},
      {head("GET /?%zz% HTTP/1.1"), "GET / query=%zz%"},
      {head("GET /%zz HTTP/1.1"), "400"},
      {head("GET /% HTTP/1.1"), "400"},
      {head("GET /%4 HTTP/1.1"), "400"},
      {head("GET /%4?a HTTP/1.1"), "400"},
      {head("GET http://h/%g0 HTTP/1.1"), "400"},
      {head("GET /#x HTTP/1.1"), "400"},
      {head("GET /?a#x HTTP/1.1"), "400"},
      {head("GET http://example.org/hello?x HTTP/1.1"), "GET /hello query=x"},
      {head("GET HTTPS://example.org:443/hello HTTP/1.1"), "GET /hello"},
      {head("GET http://example.org HTTP/1.1"), "GET /"},
      {head("GET http://example.org?x HTTP/1.1"), "GET / query=x"},
      {head("GET http://[::1]:80/hello HTTP/1.1"), "GET /hello"},
      {head("OPTIONS * HTTP/1.1"), "OPTIONS *"},
      {head("CONNECT a:80 HTTP/1.1"), "CONNECT a:80"},
      {head("GET * HTTP/1.1"), "400"},
      {head("OPTIONS ** HTTP/1.1"), "400"},
      {head("GET hello HTTP/1.1"), "400"},
      {head("GET ftp://a/ HTTP/1.1"), "400"},
      {head("GET http:///a HTTP/1.1"), "400"},
      {head("GET http:// HTTP/1.1"), "400"},
      {head("GET http://user@a/ HTTP/1.1"), "400"},
      {head("GET http://a:b/ HTTP/1.1"), "400"},
      {head("GET http:/a HTTP/1.1"), "400"},
      {head("GET /a b HTTP/1.1"), "400"},
      {head("GET /\x80 HTTP/1.1"), "400"},
      {head(std::string("GET /\0 HTTP/1.1", 15)), "400"},
      {head("GET /\x7f HTTP/1.1"), "400"},
  });
}

TEST_F(Parser, TransferEncoding) {
  check({
      {post("Transfer-Encoding: chunked"), "POST / chunked"},
      {post("transfer-encoding:CHUNKED \t"), "POST / chunked"},
      {post("Transfer-Encoding: gzip"), "400"},
      {post("Transfer-Encoding: gzip, chunked"), "501"},
      {post("Transfer-Encoding: gzip;q=\"x\", br\t,chunked"), "501"},
      {post("Transfer-Encoding: chunked, gzip"), "400"},
      {post("Transfer-Encoding: chunked, gzip, chunked"), "400"},
      {post("Transfer-Encoding: gzip, chunked, gzip, chunked"), "400"},
      {post("Transfer-Encoding: gzip,, chunked"), "400"},
      {post("Transfer-Encoding: =, chunked"), "400"},
      {post("Transfer-Encoding: gzip\r\nTransfer-Encoding: br\r\nTransfer-Encoding: chunked"),
       "501"},
      {post("Transfer-Encoding: chunked, chunked"), "400"},
      {post("Transfer-Encoding: chunked,"), "400"},
      {post("Transfer-Encoding: chunked;a=b"), "400"},
      {post("Transfer-Encoding: identity"), "400"},
      {post("Transfer-Encoding: xchunked"), "400"},
      {post("Transfer-Encoding:"), "400"},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "400"},
      {post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), "501"},
      {post("Transfer-Encoding:\r\nTransfer-Encoding: chunked"), "400"},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding:"), "400"},
      {post("Transfer-Encoding: chunked\r\nContent-Length: 5"), "400"},
      {post("Content-Length: 0\r\nTransfer-Encoding: chunked"), "400"},
      {post("Content-Length: 5\r\nTransfer-Encoding: gzip"), "400"},
      {head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), "400"},
      {head("POST / HTTP/1.0", "Transfer-Encoding: gzip\r\n"), "400"},
  });
}

TEST_F(Parser, ContentLength) {
  check({
      {post("Content-Length: 0"), "POST /"},
      {post("Content-Length: 5"), "POST / length=5"},
      {post("CONTENT-LENGTH:\t5 "), "POST / length=5"},
      {post("Content-Length: 000005"), "POST / length=5"},
      {post("Content-Length: 18446744073709551615"), "POST / length=18446744073709551615"},
      {post("Content-Length: 18446744073709551616"), "400"},
      {post("Content-Length: 99999999999999999999"), "400"},
      {post("Content-Length: 184467440737095516150"), "400"},
      {post("Content-Length: 5, 5"), "400"},
      {post("Content-Length: 5\r\nContent-Length: 5"), "400"},
      {post("Content-Length: 5\r\nContent-Length: 6"), "400"},
      {post("Content-Length:"), "400"},
      {post("Content-Length: -1"), "400"},
      {post("Content-Length: +5"), "400"},
      {post("Content-Length: 0x5"), "400"},
      {post("Content-Length: 5 5"), "400"},
      {post("Content-Length: 5.0"), "400"},
      {post("Content-Length: five"), "400"},
  });
}

TEST_F(Parser, LineEnds) {
  check({
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /"},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\nHost: a\n\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", "400"},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\rX", "400"},
      {"\r\n", "more"},
      {"\r", "more"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r", "more"},
      {"GET / HTTP/1.1\r\nHost: a\r\n", "more"},
      {"GET / HTTP/1.1\r", "more"},
      {"G", "more"},
  });
}

TEST_F(Parser, FieldLines) {
  check({
      {field("X:"), "GET /"},
      {field("X: \t b c \t "), "GET /"},
      {field("X: \x80\xff"), "GET /"},
      {field("X: a\tb"), "GET /"},
      {field("!#$%&'*+-.^_`|~09azAZ: x"), "GET /"},
      {field("Content-Type: \t text/plain; a=\"b c\" \t"), "GET / type=text/plain; a=\"b c\""},
      {field("Content-Type:"), "GET /"},
      {field("Authorization:Basic eA=="), "GET / auth=Basic eA=="},
      {field("Authorization:\r\nAuthorization: Basic eA=="), "400"},
      {field("Content-Typo: a"), "GET /"},
      {field("X : b"), "400"},
      {field("X\t: b"), "400"},
      {field(" X: b"), "400"},
      {field("X: a\r\n b"), "400"},  // obs-fold
      {field("X: a\r\n\tb"), "400"},
      {field("X: a\r\n \r\nY: b"), "400"},
      {field("X"), "400"},
      {field(": b"), "400"},
      {field("X(y): b"), "400"},
      {field("X\x80: b"), "400"},
      {field(std::string("X: a\0b", 6)), "400"},
      {field(std::string("X: a\0", 5)), "400"},
      {field("X: a\x01"), "400"},
      {field("X: a\x1f"), "400"},
      {field("X: a\x7f"), "400"},
      {field("X: a\x0b"), "400"},
      {field("X: a\rb"), "400"},
      {field("X: a\nY: b"), "400"},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"},  // white space before the first field line
  });
}

// Fails where a name is known by its length, and where one of the length of a name that is known is
// refused, or counts.
TEST_F(Parser, FieldsThatItDoesNotKnow) {
  for (std::size_t size = 1; size <= 20; ++size) {
    check({{field(std::string(size, 'x') + ": 5"), "GET /"}});
  }
}

TEST_F(Parser, ExpectAndConnection) {
  check({
      {post("Expect: 100-continue"), "POST / expects-continue"},
      {post("Expect: 100-CONTINUE"), "POST / expects-continue"},
      {post("Expect: 200-ok"), "POST / expects-unknown"},
      {post("Expect:"), "POST / expects-unknown"},
      {post("Expect: 100-continue, x"), "POST / expects-unknown"},
      {post("Expect: 100-continue\r\nExpect: 100-continue"), "POST / expects-unknown"},
      {head("POST / HTTP/1.0", "Expect: 100-continue\r\n"), "POST / 1.0"},
      {head("POST / HTTP/1.0", "Expect: x\r\n"), "POST / 1.0"},
      {field("Connection: close"), "GET / close"},
      {field("Connection: Close"), "GET / close"},
      {field("Connection: x, close ,y"), "GET / close"},
      {field("Connection: ,,\t,close"), "GET / close"},
      {field("Connection: keep-alive"), "GET /"},
      {field("Connection: keep-alive, close"), "GET / close"},
      {field("Connection: close\r\nConnection: keep-alive"), "GET / close"},
      {field("Connection: closed"), "GET /"},
      {field("Connection: \"close\""), "GET /"},
      {field("Connection:"), "GET /"},
      {head("GET / HTTP/1.0", "Connection: Keep-Alive\r\n"), "GET / 1.0 keep"},
      {head("GET / HTTP/1.0", "Connection: keep-alive, close\r\n"), "GET / 1.0"},
  });
}

// A target of 8,000 bytes is the last one accepted; what has no end in sight is refused as well.
TEST_F(Parser, TargetLimit) {
  const auto target = [](std::size_t size) { return "/" + std::string(size - 1, 'x'); };
  check({
      {head("GET " + target(8000) + " HTTP/1.1"), "GET " + target(8000)},
      {head("GET " + target(8001) + " HTTP/1.1"), "414"},
      {head("GET " + target(8100) + " HTTP/1.1"), "414"},
      {head("GET " + target(8001) + " HTTP/2.0"), "414"},
      {"\r\n" + head("GET " + target(8000) + " HTTP/1.1"), "GET " + target(8000)},
      {"\r\n" + head("GET " + target(8001) + " HTTP/1.1"), "414"},
      {"GET " + target(20000), "414"},
      {std::string(20000, 'x'), "414"},
      {"GET " + target(7000) + '\x01', "400"},
      {"GET " + target(7000), "more"},
  });
}

// 16 KiB of field lines, one or many, with their line ends but without the empty line.
TEST_F(Parser, FieldLimit) {
  const std::string line = "GET / HTTP/1.1\r\n";
  const auto one = [](std::size_t size) {
    return "Host: a\r\nX: " + std::string(size - 9 - 3 - 2, 'x') + "\r\n";
  };
  const auto many = [](std::size_t size) {
    std::string fields = "Host: a\r\n";
    while (fields.size() + 10 <= size) fields += "A: b\r\n";
    return fields + "P: " + std::string(size - fields.size() - 5, 'p') + "\r\n";
  };
  const std::size_t limit = 16 * 1024;
  ASSERT_EQ(one(limit).size(), limit);
  ASSERT_EQ(many(limit).size(), limit);
  check({
      {line + one(limit) + "\r\n", "GET /"},
      {line + many(limit) + "\r\n", "GET /"},
      {"\r\n" + line + many(limit) + "\r\n", "GET /"},
      {line + one(limit + 1) + "\r\n", "431"},
      {line + one(limit + 1), "431"},  // at its own end, not where the next line goes on
      {line + one(limit + 2) + "\r\n", "431"},
      {line + one(limit + 3) + "\r\n", "431"},
      {line + many(limit + 1) + "\r\n", "431"},
      {line + many(limit) + "A: b\r\n\r\n", "431"},
      {line + many(2 * limit) + "\r\n", "431"},
      {line + "Host: a\r\nX: " + std::string(limit, 'x'), "431"},
      {line + "Host: a\r\nX: " + std::string(limit + 2 - 12, 'x'), "431"},  // as soon as it is sure
      {line + "Host: a\r\nX: " + std::string(limit + 1 - 12, 'x'), "more"},
      {line + one(limit), "more"},
      {line + one(limit) + "\r", "more"},
      {line + one(limit) + "\n", "400"},
      {line + one(limit - 10) + "X : b\r\n", "400"},
      // The longest target together with the longest field section.
      {"GET /" + std::string(7999, 'x') + " HTTP/1.1\r\n" + one(limit) + "\r\n",
       "GET /" + std::string(7999, 'x')},
  });
}

// The first thing that is wrong decides, wherever the bytes were cut.
TEST_F(Parser, FirstErrorWins) {
  check({
      {"GET / HTTP/2.0\r\nbad\r\n\r\n", "505"},
      {"G@T / HTTP/2.0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\nbad\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "400"},  // no Host
  });
}

TEST(ParserState, StartedMeansThatAByteOfARequestCame) {
  const auto started = [](std::string_view bytes) {
    HttpParser parser;
    EXPECT_EQ(parser.parse(bytes).kind, ParseResult::kNeedMore);
    return parser.started();
  };
  EXPECT_FALSE(HttpParser().started());
  EXPECT_FALSE(started("\r"));
  EXPECT_FALSE(started("\r\n"));
  EXPECT_TRUE(started("G"));
  EXPECT_TRUE(started("\r\nG"));
  EXPECT_TRUE(started("GET / HTTP/1.1\r\nHost"));
}

// Each byte is looked at once, which keeps a client that sends one at a time from costing the
// square of its head. Seen by spoiling what has been looked at: a parser that looks again refuses
// it.
TEST(ParserState, LooksAtEachByteOnce) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  for (std::size_t size = 0; size < 70; ++size) {
    HttpParser parser;
    ASSERT_EQ(parser.parse(begin + std::string(size, 'x')).kind, ParseResult::kNeedMore);
    const std::string spoilt = begin + std::string(size, '\x01') + "y\r\n\r\n";
    ASSERT_EQ(parser.parse(spoilt).kind, ParseResult::kComplete) << size;
  }
}

TEST(ParserState, KnowsTheSizeOfTheFieldLines) {
  HttpParser parser;
  const std::string_view text = "\r\nGET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\nbody";
  ASSERT_EQ(parser.parse(text).kind, ParseResult::kComplete);
  EXPECT_EQ(text.substr(parser.head_size()), "body");
  // With or without the empty line: what counts is that the trailers' allowance follows from it.
  EXPECT_GE(parser.field_bytes(), std::string_view("Host: a\r\nX: b\r\n").size());
  EXPECT_LE(parser.field_bytes(), std::string_view("Host: a\r\nX: b\r\n\r\n").size());
}

// Fails where a line that is refused as soon as it is shown leaves no trace that a request began.
TEST(ParserState, WhatIsRefusedAtOnceHasStarted) {
  for (const std::string_view head : {"GET / HTTP/2.0\r\n\r\n", "GET\r\n\r\n", "\x01"}) {
    HttpParser parser;
    EXPECT_EQ(parser.parse(head).kind, ParseResult::kRefused);
    EXPECT_EQ(parser.started(), head != "\x01") << head;
  }
}
