// Whole HTTP conversations without a socket. The notation of answers is in support.h.

#include <charconv>

#include "common/http_response.h"
#include "common/routes.h"
#include "tests/unit/support.h"

namespace {

constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

std::string name_of(Phase phase) {
  switch (phase) {
    case Phase::open:
      return "open";
    case Phase::linger:
      return "linger";
    case Phase::over:
      return "over";
  }
  return "?";
}

// A session and what the stage around it would hold.
struct Client {
  explicit Client(Lab& lab) : out(lab.context.pool), session(make_session(kHttp, lab.context)) {}

  Buffer out;
  std::unique_ptr<Session> session;
  std::string heard = {};  // everything that left `out`

  void take(std::size_t count) {
    heard += out.view().substr(0, count);
    session->sent(count, count == out.size());
    out.consume(count);
  }
  // As a stage does it: what is owed goes out, then the session may say more.
  void drain(bool last = false) {
    do {
      if (!out.empty()) take(out.size());
      session->advance(out, last);
    } while (!out.empty());
  }
  void send(std::string_view bytes, bool last = false) {
    session->feed(bytes);
    session->advance(out, last);
    drain(last);
  }
  void fin() {
    session->feed_eof();
    session->advance(out, false);
    drain();
  }
  // The answers since the last call, and the phase.
  std::string log() {
    std::string log = log_of(heard);
    heard.clear();
    return log + (log.empty() ? "" : " | ") + name_of(session->phase());
  }
};

struct Case {
  std::string name;
  std::string sent;
  std::string expected;
  bool fin = false;  // after the last byte
  bool auth = false;
};

std::string request(std::string_view line, std::string_view fields = "",
                    std::string_view body = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}
std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
  return request("POST " + std::string(path),
                 "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields),
                 body);
}
std::string chunked(std::string_view path, std::string_view raw, std::string_view fields = "") {
  return request("POST " + std::string(path),
                 "Transfer-Encoding: chunked\r\n" + std::string(fields), raw);
}
const std::string kSecret = base64("me:pass");
const std::string kAsk = "WWW-Authenticate: Basic realm=\"reactor lab\", charset=\"UTF-8\"";
const std::string kOctets = "<application/octet-stream>";
const std::string kH = std::string(kHello);

// --max-body is 1000 here.
std::vector<Case> cases() {
  return {
      // Routes
      {"hello", kH, "200 hello, world | open"},
      {"page", request("GET /"), "200 <text/html; charset=utf-8> <p>page</p> | open"},
      {"absolute form", request("GET http://a/hello"), "200 hello, world | open"},
      {"query is not path", request("GET /hello?x"), "200 hello, world | open"},
      {"echo", post("/echo", "aBc"), "200 " + kOctets + " aBc | open"},
      {"echo typed", post("/echo", "aBc", "Content-Type: a/b;  c\r\n"), "200 <a/b;  c> aBc | open"},
      {"echo nothing", post("/echo", ""), "200 " + kOctets + " | open"},
      {"echo without length", request("POST /echo"), "200 " + kOctets + " | open"},
      {"upper", post("/upper", "aBc\xe4"), "200 " + kOctets + " ABC\xe4 | open"},
      {"upper typed", post("/upper", "aBc", "content-type: a/b\r\n"), "200 <a/b> ABC | open"},
      {"upper query", request("GET /upper?text=abc%20d+e"), "200 ABC D E | open"},
      {"escapes", request("GET /upper?text=%41%7a%2B%2b%26"), "200 AZ++& | open"},
      {"escapes of low bytes", request("GET /upper?text=%00%0a"),
       "200 " + std::string("\0", 1) + " | open"},
      {"first text wins", request("GET /upper?x=1&text=a&text=b"), "200 A | open"},
      {"empty text", request("GET /upper?text="), "200 | open"},
      {"bare text", request("GET /upper?text"), "200 | open"},
      {"empty pairs", request("GET /upper?&&text=a&"), "200 A | open"},
      {"equals in text", request("GET /upper?text=a=b"), "200 A=B | open"},
      {"no text", request("GET /upper?texts=a&xtext=b"), "400 close | linger"},
      {"no query", request("GET /upper"), "400 close | linger"},
      {"bad escape", request("GET /upper?text=%4"), "400 close | linger"},
      {"bad escape digit", request("GET /upper?text=%g1"), "400 close | linger"},
      {"bad second digit", request("GET /upper?text=%1g"), "400 close | linger"},
      {"lone percent", request("GET /upper?text=a%"), "400 close | linger"},
      {"bad escape in a later text", request("GET /upper?text=a&text=%"), "200 A | open"},
      // Methods
      {"head", request("HEAD /hello") + kH, "200 (13) | 200 hello, world | open"},
      {"head upper", request("HEAD /upper?text=abc"), "200 (3) | open"},
      {"head page", request("HEAD /"), "200 <text/html; charset=utf-8> (11) | open"},
      {"head not found", request("HEAD /nothing") + kH, "404 (15) | 200 hello, world | open"},
      {"head of a post route", request("HEAD /echo"), "405 Allow: POST (24) | open"},
      {"not found", request("GET /nothing") + kH, "404 | 200 hello, world | open"},
      {"escaped path", request("GET /%68ell%6F"), "200 hello, world | open"},
      {"no escape without its sign", request("GET /x68%65llo"), "404 | open"},
      {"not found, body consumed", post("/nothing", kHello) + kH, "404 | 200 hello, world | open"},
      {"not allowed", post("/hello", kHello) + kH,
       "405 Allow: GET, HEAD | 200 hello, world | open"},
      {"not allowed get", request("GET /echo"), "405 Allow: POST | open"},
      {"not allowed put", request("PUT /upper"), "405 Allow: GET, HEAD, POST | open"},
      {"options of a route", request("OPTIONS /hello"), "405 Allow: GET, HEAD | open"},
      {"options *", request("OPTIONS *"), "204 Allow: GET, HEAD, POST, OPTIONS | open"},
      {"connect", request("CONNECT a:80"), "405 Allow: GET, HEAD, POST, OPTIONS | open"},
      {"unknown method", request("BREW /hello") + kH, "501 | 200 hello, world | open"},
      {"unknown method, body consumed", request("BREW /x", "Content-Length: 32\r\n", kHello) + kH,
       "501 | 200 hello, world | open"},
      {"get with a body", request("GET /hello", "Content-Length: 2\r\n", "xx") + kH,
       "200 hello, world | 200 hello, world | open"},
      // Order, versions, closing
      {"pipelined", kH + post("/echo", "1") + request("GET /x") + post("/upper", "b") + kH,
       "200 hello, world | 200 " + kOctets + " 1 | 404 | 200 " + kOctets +
           " B | 200 hello, world | open"},
      {"nothing behind close is answered", request("GET /hello", "Connection: close\r\n") + kH,
       "200 close hello, world | linger"},
      {"1.0 closes", "GET /hello HTTP/1.0\r\n\r\n" + kH, "200 close hello, world | linger"},
      {"1.0 keep-alive", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + kH,
       "200 keep-alive hello, world | 200 hello, world | open"},
      {"1.7", "GET /hello HTTP/1.7\r\nHost: a\r\n\r\n" + kH,
       "200 hello, world | 200 hello, world | open"},
      {"2.0", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n" + kH, "505 close | linger"},
      {"empty line before", "\r\n" + kH + "\r\n" + kH,
       "200 hello, world | 200 hello, world | open"},
      {"bad request", kH + "G@T / HTTP/1.1\r\n\r\n" + kH, "200 hello, world | 400 close | linger"},
      {"bad head", request("HEAD /hello", "bad\r\n"), "400 close (17) | linger"},
      {"lone LF", "GET /hello HTTP/1.1\nHost: a\n\n", "400 close | linger"},
      {"garbage", "\x16\x03\x01\x02", "400 close | linger"},
      {"long target", request("GET /" + std::string(8000, 'x')) + kH, "414 close | linger"},
      {"many fields", request("GET /", "X: " + std::string(16384, 'x') + "\r\n"),
       "431 close | linger"},
      // Bodies
      {"chunked", chunked("/upper", "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: u\r\n\r\n") + kH,
       "200 " + kOctets + " ABCDEFG | 200 hello, world | open"},
      {"chunked, empty", chunked("/echo", "0\r\n\r\n") + kH,
       "200 " + kOctets + " | 200 hello, world | open"},
      {"chunked, many", chunked("/echo", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n"),
       "200 " + kOctets + " abcd | open"},
      {"chunked, not found", chunked("/x", "3\r\nabc\r\n0\r\n\r\n") + kH,
       "404 | 200 hello, world | open"},
      {"chunk bad", chunked("/echo", "3\r\nabcd\r\n0\r\n\r\n") + kH, "400 close | linger"},
      {"chunk bad, unknown path", chunked("/x", "x\r\n") + kH, "400 close | linger"},
      {"chunk size bad", chunked("/echo", "0x3\r\nabc\r\n") + kH, "400 close | linger"},
      {"trailer bad", chunked("/echo", "0\r\nbad\r\n\r\n") + kH, "400 close | linger"},
      {"trailers too long", chunked("/echo", "0\r\nT: " + std::string(16370, 'x') + "\r\n\r\n"),
       "431 close | linger"},
      {"exactly max-body", post("/echo", std::string(1000, 'x')),
       "200 " + kOctets + ' ' + std::string(1000, 'x') + " | open"},
      {"one over max-body", request("POST /echo", "Content-Length: 1001\r\n") + kH,
       "413 close | linger"},
      {"far over max-body", request("POST /echo", "Content-Length: 18446744073709551615\r\n"),
       "413 close | linger"},
      {"over 32 bits", request("POST /echo", "Content-Length: 4294967297\r\n", "x"),
       "413 close | linger"},
      {"one over max-body, not found", request("POST /x", "Content-Length: 1001\r\n"),
       "413 close | linger"},
      {"exactly max-body, chunked",
       chunked("/upper", "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n"),
       "200 " + kOctets + ' ' + std::string(1000, 'X') + " | open"},
      {"one over max-body, chunked", chunked("/echo", "3e9\r\n"), "413 close | linger"},
      {"too much in the second chunk", chunked("/echo", "3\r\nabc\r\n3e6\r\n") + kH,
       "413 close | linger"},
      {"transfer-encoding", request("POST /echo", "Transfer-Encoding: gzip, chunked\r\n") + kH,
       "501 close | linger"},
      {"two framings", chunked("/echo", "0\r\n\r\n", "Content-Length: 5\r\n") + kH,
       "400 close | linger"},
      {"chunked in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400 close | linger"},
      // Expectations. A 100 depends on what has arrived, so it is left out of this comparison.
      {"expect", post("/echo", "abc", "Expect: 100-continue\r\n") + kH,
       "200 " + kOctets + " abc | 200 hello, world | open"},
      {"expect, chunked", chunked("/echo", "1\r\na\r\n0\r\n\r\n", "Expect: 100-continue\r\n") + kH,
       "200 " + kOctets + " a | 200 hello, world | open"},
      {"expect, not found", post("/x", "abc", "Expect: 100-continue\r\n") + kH,
       "404 | 200 hello, world | open"},
      {"expect, not found, chunked",
       chunked("/x", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "Expect: 100-continue\r\n") + kH,
       "404 | 200 hello, world | open"},
      {"expect, not found, then bad", chunked("/x", "3\r\nab", "Expect: 100-continue\r\n") + kH,
       "404 | linger"},
      {"expect, not allowed", post("/hello", "abc", "Expect: 100-continue\r\n") + kH,
       "405 Allow: GET, HEAD | 200 hello, world | open"},
      {"expect, refused and closing",
       post("/x", "abc", "Expect: 100-continue\r\nConnection: close\r\n") + kH,
       "404 close | linger"},
      {"expect, too large",
       request("POST /echo", "Content-Length: 1001\r\nExpect: 100-continue\r\n"),
       "413 close | linger"},
      {"expect, no body", request("GET /hello", "Expect: 100-continue\r\n"),
       "200 hello, world | open"},
      {"expect something else", post("/echo", "abc", "Expect: x\r\n") + kH,
       "417 | 200 hello, world | open"},
      {"expect more", post("/echo", "abc", "Expect: 100-continue, x\r\n") + kH,
       "417 | 200 hello, world | open"},
      {"expect more, chunked",
       chunked("/echo", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "Expect: 100-continue, x\r\n") + kH,
       "417 | 200 hello, world | open"},
      {"expect more, then bad", chunked("/echo", "3\r\nab", "Expect: 100-continue, x\r\n") + kH,
       "417 | linger"},
      {"expect more, too large",
       request("POST /echo", "Content-Length: 1001\r\nExpect: 100-continue, x\r\n"),
       "413 close | linger"},
      {"expect something else, no body", request("GET /hello", "Expect: x\r\n") + kH,
       "417 | 200 hello, world | open"},
      {"expect in 1.0", "POST /echo HTTP/1.0\r\nContent-Length: 1\r\nExpect: x\r\n\r\na",
       "200 close " + kOctets + " a | linger"},
      // Authentication
      {"no credentials", request("GET /") + kH, "401 " + kAsk + " | 200 hello, world | open", false,
       true},
      {"wrong credentials", request("GET /x", "Authorization: Basic bWU6cGFzcw\r\n"),
       "401 " + kAsk + " | open", false, true},
      {"right credentials", post("/echo", "x", "Authorization: Basic " + kSecret + "\r\n"),
       "200 " + kOctets + " x | open", false, true},
      {"401, body consumed", post("/echo", kHello) + kH,
       "401 " + kAsk + " | 200 hello, world | open", false, true},
      {"unknown method, no credentials", request("BREW /"), "501 | open", false, true},
      {"expect, no credentials", post("/echo", "abc", "Expect: 100-continue\r\n") + kH,
       "401 " + kAsk + " | 200 hello, world | open", false, true},
      // The peer's FIN
      {"fin at once", "", "over", true},
      {"fin after requests", kH + kH, "200 hello, world | 200 hello, world | over", true},
      {"fin in a head", kH + "GET /hello HTTP/1.1\r\nHost: a\r\n", "200 hello, world | over", true},
      {"fin in a body", request("POST /echo", "Content-Length: 5\r\n", "abcd"), "over", true},
      {"fin in a chunk", chunked("/echo", "5\r\nabcd"), "over", true},
      {"fin before the last chunk", chunked("/echo", "1\r\na\r\n"), "over", true},
      {"fin in the trailers", chunked("/echo", "1\r\na\r\n0\r\n"), "over", true},
      {"fin after a refusal", "bad\r\n", "400 close | over", true},
      {"fin after close", request("GET /hello", "Connection: close\r\n"),
       "200 close hello, world | over", true},
      // Unfinished
      {"half a request", kH + "GET /hello", "200 hello, world | open"},
      {"half a body", request("POST /echo", "Content-Length: 5\r\n", "abcd"), "open"},
  };
}

std::string without_continue(std::string bytes) {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  for (std::size_t at = 0; (at = bytes.find(kContinue, at)) != std::string::npos;) {
    bytes.erase(at, kContinue.size());
  }
  return bytes;
}

// How much the client reads after each piece.
using Appetite = std::function<std::size_t(std::size_t owed)>;
std::size_t everything(std::size_t owed) { return owed; }

// The bytes that come back, and the phase in the end.
std::string play(const Case& c, const Cuts& cuts, const Appetite& appetite) {
  Lab lab;
  lab.app.max_body = 1000;
  if (c.auth) lab.app.credentials = kSecret;
  Client client(lab);
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    client.session->feed(std::string_view(c.sent).substr(at, cut - at));
    at = cut;
    client.session->advance(client.out, false);
    client.take(std::min(appetite(client.out.size()), client.out.size()));
  }
  if (c.fin) client.session->feed_eof();
  client.session->advance(client.out, false);
  client.drain();
  const std::string heard = without_continue(client.heard);
  EXPECT_EQ(lab.stats[0].requests.get(), answers(heard).size()) << "requests counted";
  EXPECT_EQ(lab.stats[0].bytes_in.get(), c.sent.size());
  EXPECT_EQ(lab.stats[0].bytes_out.get(), client.heard.size());
  return without_dates(heard) + name_of(client.session->phase());
}

std::string whole_log(const Case& c) {
  Lab lab;
  lab.app.max_body = 1000;
  if (c.auth) lab.app.credentials = kSecret;
  Client client(lab);
  client.send(c.sent);
  if (c.fin) client.fin();
  client.heard = without_continue(client.heard);
  return client.log();
}

}  // namespace

TEST(HttpSession, Conversations) {
  for (const Case& c : cases()) EXPECT_EQ(whole_log(c), c.expected) << c.name;
}

// Hostile bytes: the answers depend neither on how the bytes were cut nor on when the client reads.
TEST(HttpSession, AnswersDoNotDependOnTheCuts) {
  std::mt19937 random(4);
  const Appetite nothing = [](std::size_t) { return std::size_t{0}; };
  const Appetite some = [&random](std::size_t owed) {
    return std::uniform_int_distribution<std::size_t>(0, owed)(random);
  };
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const std::size_t size = c.sent.size();
    const std::string expected = play(c, whole(size), everything);
    for (const Cuts& cuts : every_split(size)) {
      ASSERT_EQ(play(c, cuts, everything), expected) << to_string(cuts);
    }
    for (const Appetite& appetite : {Appetite(everything), nothing, some}) {
      ASSERT_EQ(play(c, whole(size), appetite), expected);
      ASSERT_EQ(play(c, byte_by_byte(size), appetite), expected) << "byte by byte";
      for (int i = 0; i < 10; ++i)
        ASSERT_EQ(play(c, random_cuts(size, random), appetite), expected);
    }
  }
}

// All of them on one connection, as far as they keep it.
TEST(HttpSession, LongPipelinesDoNotDependOnTheCuts) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    Case joined{.name = "joined", .sent = "", .expected = ""};
    std::string expected;
    std::vector<Case> all = cases();
    std::ranges::shuffle(all, random);
    for (const Case& c : all) {
      if (!c.expected.ends_with(" | open") || c.auth || c.name == "half a request") continue;
      joined.sent += c.sent;
      expected += c.expected.substr(0, c.expected.size() - 4);
    }
    ASSERT_EQ(whole_log(joined), expected + "open");
    const std::string bytes = play(joined, whole(joined.sent.size()), everything);
    for (int i = 0; i < 5; ++i) {
      const auto some = [&random](std::size_t owed) { return random() % (owed + 1); };
      ASSERT_EQ(play(joined, random_cuts(joined.sent.size(), random), some), bytes);
    }
  }
}

// 10,000 requests in one go: what waits for the client stays small, and nothing is forgotten.
TEST(HttpSession, PipelinedAnswersAreBounded) {
  constexpr std::size_t kCount = 10000;
  Lab lab;
  Client client(lab);
  for (std::size_t i = 0; i < kCount; ++i) {
    client.session->feed(request("GET /upper?text=" + std::to_string(i)));
  }
  std::size_t most = 0;
  do {
    client.session->advance(client.out, false);
    client.session->advance(client.out, false);  // asked again, it adds nothing
    most = std::max(most, client.out.size());
    client.take(client.out.size());
    client.session->advance(client.out, false);
  } while (!client.out.empty());
  EXPECT_GE(most, 12U * 1024);
  EXPECT_LT(most, 12U * 1024 + 500);
  const std::vector<std::string> all = answers(client.heard);
  ASSERT_EQ(all.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_EQ(all[i], "200 " + std::to_string(i));
}

// Fails where an answer is made although so much waits already.
TEST(HttpSession, AddsNothingAtTheHighWaterMark) {
  for (const std::size_t waits : {12 * 1024 - 1, 12 * 1024}) {
    Lab lab;
    Client client(lab);
    client.out.append(std::string(waits, 'x'));
    client.session->feed(kHello);
    client.session->advance(client.out, false);
    EXPECT_EQ(client.out.size() == waits, waits == 12 * 1024) << waits;
  }
}

TEST(HttpSession, LargeBodies) {
  Lab lab;
  for (const std::size_t size : {BufferPool::kBlockSize - 100, BufferPool::kBlockSize,
                                 BufferPool::kBlockSize + 1, std::size_t{1048576}}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; i += 7) body[i] = static_cast<char>('a' + i % 26);
    Client client(lab);
    client.send(post("/echo", body) + kH);
    EXPECT_EQ(client.log(), "200 " + kOctets + ' ' + body + " | 200 hello, world | open");

    std::string raw;
    for (std::size_t at = 0; at < size; at += 5000) {
      const std::string_view data = std::string_view(body).substr(at, 5000);
      std::array<char, 20> digits{};
      std::to_chars(digits.data(), digits.data() + digits.size(), data.size(), 16);
      raw += std::string(digits.data()) + "\r\n" + std::string(data) + "\r\n";
    }
    client.send(chunked("/echo", raw + "0\r\n\r\n") + kH);
    EXPECT_EQ(client.log(), "200 " + kOctets + ' ' + body + " | 200 hello, world | open");
  }
}

TEST(HttpSession, SaysContinueOnlyWhenTheBodyIsWantedAndHasNotCome) {
  const std::string expect = "Expect: 100-continue\r\n";
  const auto heads = {request("POST /echo", expect + "Content-Length: 3\r\n"),
                      request("POST /echo", expect + "Transfer-Encoding: chunked\r\n")};
  for (const std::string& head : heads) {
    Lab lab;
    Client client(lab);
    client.send(head);
    EXPECT_EQ(client.log(), "100 | open");
    client.send(head.find("chunked") == std::string::npos ? "abc" : "3\r\nabc\r\n0\r\n\r\n");
    EXPECT_EQ(client.log(), "200 " + kOctets + " abc | open");
  }
  const auto answer = [&](std::string_view text, bool auth = false) {
    Lab lab;
    if (auth) lab.app.credentials = kSecret;
    Client client(lab);
    client.send(text);
    return client.log();
  };
  EXPECT_EQ(answer(post("/echo", "abc", expect)), "200 " + kOctets + " abc | open");
  EXPECT_EQ(answer(request("POST /echo", expect + "Content-Length: 3\r\n", "a")), "open");
  EXPECT_EQ(answer(request("POST /echo", expect + "Content-Length: 0\r\n")),
            "200 " + kOctets + " | open");
  EXPECT_EQ(answer(request("POST /echo", expect)), "200 " + kOctets + " | open");
  // The final status instead, before any of the body.
  EXPECT_EQ(answer(request("POST /x", expect + "Content-Length: 3\r\n")), "404 | open");
  EXPECT_EQ(answer(request("PUT /echo", expect + "Content-Length: 3\r\n")),
            "405 Allow: POST | open");
  EXPECT_EQ(answer(request("BREW /echo", expect + "Content-Length: 3\r\n")), "501 | open");
  EXPECT_EQ(answer(request("POST /echo", expect + "Content-Length: 3\r\n"), true),
            "401 " + kAsk + " | open");
  EXPECT_EQ(answer(request("POST /echo", expect + "Content-Length: 1048577\r\n")),
            "413 close | linger");
  EXPECT_EQ(answer("POST /echo HTTP/1.0\r\n" + expect + "Content-Length: 3\r\n\r\n"), "open");
}

// Fails where a client gets 417 only behind the body that it keeps back.
TEST(HttpSession, RefusesAnExpectationAtTheHead) {
  for (const std::string value : {"100-continue, x", "x", "", "100-continue\r\nExpect: x"}) {
    for (const std::string framing : {"Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"}) {
      Lab lab;
      Client client(lab);
      client.send(request("POST /echo", "Expect: " + value + "\r\n" + framing));
      EXPECT_EQ(client.log(), "417 | open") << value << ' ' << framing;
    }
  }
}

// Fails where "Connection: close" is said, and then waits for the body that is kept back.
TEST(HttpSession, ClosesWithTheRefusalAtTheHead) {
  for (const std::string value : {"100-continue", "x"}) {
    Lab lab;
    Client client(lab);
    client.send(
        request("POST /x", "Connection: close\r\nContent-Length: 3\r\nExpect: " + value + "\r\n"));
    EXPECT_EQ(client.log(), (value == "x" ? "417" : "404") + std::string(" close | linger"));
  }
}

// What follows a message that was answered early starts behind its body, however that came.
TEST(HttpSession, DropsTheBodyOfARequestThatWasAnsweredEarly) {
  for (const std::string more : {"", ", x"}) {
    Lab lab;
    Client client(lab);
    client.send(request("POST /x", "Expect: 100-continue" + more + "\r\nContent-Length: 32\r\n"));
    EXPECT_EQ(client.log(), more.empty() ? "404 | open" : "417 | open");
    client.send(kHello.substr(0, 20));
    EXPECT_EQ(client.log(), "open");
    client.send(kHello.substr(20));
    EXPECT_EQ(client.log(), "open");
    client.send(kHello);
    EXPECT_EQ(client.log(), "200 hello, world | open");
    EXPECT_EQ(lab.stats[0].requests.get(), 2U);
  }
}

TEST(HttpSession, DrainClosesWithTheLastAnswerOnly) {
  Lab lab;
  Client client(lab);
  client.send(kH + kH + kH, true);
  EXPECT_EQ(client.log(), "200 hello, world | 200 hello, world | 200 close hello, world | linger");
  client.send(kH, true);
  EXPECT_EQ(client.log(), "linger");
  client.fin();
  EXPECT_EQ(client.log(), "over");
}

// The answers do not fit into `out` at once, and the client reads slowly: the last one is still
// the only one that says close.
TEST(HttpSession, DrainOfAPipelineClosesWithTheLastAnswerOnly) {
  Lab lab;
  Client client(lab);
  for (int i = 0; i < 500; ++i) client.session->feed(kHello);
  client.send("", true);
  const std::vector<std::string> all = answers(client.heard);
  ASSERT_EQ(all.size(), 500U);
  for (int i = 0; i < 499; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], "200 hello, world");
  EXPECT_EQ(all.back(), "200 close hello, world");
  EXPECT_EQ(client.session->phase(), Phase::linger);
}

// An empty line behind the last request is no request: that was still the last answer.
TEST(HttpSession, DrainIsNotMisledByAnEmptyLine) {
  for (const std::string_view rest : {"\r", "\r\n"}) {
    Lab lab;
    Client client(lab);
    client.send(kH + std::string(rest), true);
    EXPECT_EQ(client.log(), "200 close hello, world | linger");
  }
}

// Fails where a drain leaves out what stands behind a body that is not wanted.
TEST(HttpSession, DrainAnswersWhatStandsBehindARefusedBody) {
  Lab lab;
  Client client(lab);
  client.send(post("/nope", "hello", "Expect: 100-continue\r\n") + kH, true);
  EXPECT_EQ(client.log(), "404 | 200 close hello, world | linger");
}

// In a drain the refusal is the last word, whether or not the body has come.
TEST(HttpSession, DrainDoesNotWaitForARefusedBody) {
  for (const std::string_view body : {"", "hel", "hello"}) {
    Lab lab;
    Client client(lab);
    client.send(request("POST /nope", "Expect: 100-continue\r\nContent-Length: 5\r\n", body), true);
    EXPECT_EQ(client.log(), "404 close | linger");
    Client other(lab);
    other.send(request("POST /echo", "Expect: x\r\nContent-Length: 5\r\n", body), true);
    EXPECT_EQ(other.log(), "417 close | linger");
  }
  Lab lab;
  Client client(lab);
  client.send(chunked("/nope", "", "Expect: 100-continue\r\n"), true);
  EXPECT_EQ(client.log(), "404 close | linger");
}

TEST(HttpSession, TheHeadersOfAChunkedRequestMayFillTheLimit) {
  const std::string fixed = "Host: a\r\nTransfer-Encoding: chunked\r\nX: \r\n";
  for (const std::size_t over : {0U, 1U}) {
    const std::string padding(HttpParser::kMaxFieldLines - fixed.size() + over, 'x');
    Lab lab;
    Client client(lab);
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: " + padding +
                "\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    EXPECT_TRUE(client.heard.starts_with(over == 0 ? "HTTP/1.1 200" : "HTTP/1.1 431")) << over;
  }
}

TEST(HttpSession, ARefusedHeadHasNoBodyEvenWhenItsLineIsNotComplete) {
  Lab lab;
  Client client(lab);
  client.send("HEAD /" + std::string(9000, 'a'));
  EXPECT_TRUE(client.heard.starts_with("HTTP/1.1 414")) << client.heard;
  EXPECT_TRUE(client.heard.ends_with("\r\n\r\n")) << client.heard;
}

TEST(HttpSession, DrainEndsIdleConnectionsAtOnce) {
  Lab lab;
  Client fresh(lab);
  fresh.send("", true);
  EXPECT_EQ(fresh.log(), "over");

  Client used(lab);
  used.send(kH);
  used.heard.clear();
  used.send("", true);
  EXPECT_EQ(used.log(), "linger");  // its answer may still be on its way

  Client only_an_empty_line(lab);
  only_an_empty_line.send("\r\n", true);
  EXPECT_EQ(only_an_empty_line.log(), "over");
}

TEST(HttpSession, DrainWaitsForPartialRequests) {
  for (const std::string& text : {kH, "\r\n" + kH, post("/echo", "abc"), kH + kH}) {
    for (std::size_t at = text.starts_with('\r') ? 3 : 1; at < text.size(); ++at) {
      if (at == kH.size() && text != "\r\n" + kH) continue;  // complete, or its first request is
      Lab lab;
      Client client(lab);
      client.send(text.substr(0, at), true);
      ASSERT_EQ(name_of(client.session->phase()), "open") << "cut at " << at;
      client.send(text.substr(at), true);
      const std::vector<std::string> all = answers(client.heard);
      ASSERT_EQ(all.size(), text == kH + kH ? 2U : 1U);
      EXPECT_TRUE(all.back().starts_with("200 close")) << all.back();
      EXPECT_FALSE(all.size() == 2 && all.front().starts_with("200 close")) << "cut at " << at;
      EXPECT_EQ(client.session->phase(), Phase::linger);
    }
  }
}

TEST(HttpSession, ExpireSaysWhyOnlyWhereARequestHasBegun) {
  const auto expire = [](std::string_view sent) {
    Lab lab;
    Client client(lab);
    client.send(sent);
    client.heard.clear();
    const bool spoke = client.session->expire(client.out);
    EXPECT_EQ(spoke, !client.out.empty());
    client.drain();
    return client.log();
  };
  const std::string timeout = "408 close | linger";
  EXPECT_EQ(expire(""), "open");
  EXPECT_EQ(expire("\r"), "open");
  EXPECT_EQ(expire("\r\n"), "open");
  EXPECT_EQ(expire(kH), "open");
  EXPECT_EQ(expire(kH + "\r\n"), "open");
  EXPECT_EQ(expire("G"), timeout);
  EXPECT_EQ(expire("\r\nG"), timeout);
  EXPECT_EQ(expire(kH + "G"), timeout);
  EXPECT_EQ(expire(request("POST /echo", "Content-Length: 3\r\n")), timeout);
  EXPECT_EQ(expire(request("POST /echo", "Content-Length: 3\r\n", "ab")), timeout);
  EXPECT_EQ(expire(chunked("/echo", "3\r\nabc\r\n0\r\n")), timeout);
  EXPECT_EQ(expire(request("POST /echo", "Expect: 100-continue\r\nContent-Length: 3\r\n")),
            timeout);
  // Answered already, or refused: there is no second answer to one request.
  EXPECT_EQ(expire(request("POST /x", "Expect: 100-continue\r\nContent-Length: 3\r\n")), "open");
  EXPECT_EQ(expire("bad\r\n"), "linger");
}

// What stands behind the query is not part of it.
TEST(Routes, AnEscapeEndsWithTheQuery) {
  Lab lab;
  const std::string_view text = "text=%41";
  for (std::size_t size = text.size(); size > 5; --size) {
    Request request;
    request.method = Method::get;
    request.path = "/upper";
    request.query = text.substr(0, size);
    EXPECT_EQ(respond(request, lab.context).status, size == text.size() ? 200 : 400) << size;
  }
}

// The clock starts anew when an answer has wholly left, and by nothing else.
TEST(HttpSession, OnlyACompleteAnswerRestartsTheClock) {
  Lab lab;
  const auto session = make_session(kHttp, lab.context);
  Buffer out(lab.context.pool);
  EXPECT_EQ(session->feed(kHello.substr(0, 10)), Progress::none);
  EXPECT_EQ(session->feed(kHello.substr(10)), Progress::none);
  session->advance(out, false);
  EXPECT_EQ(session->sent(10, false), Progress::none);
  EXPECT_EQ(session->sent(0, false), Progress::none);
  EXPECT_EQ(session->sent(out.size() - 10, true), Progress::made);
  EXPECT_EQ(session->sent(0, true), Progress::none) << "once for one answer";
  out.clear();

  // A 100 is no answer, be it the first thing that is said.
  const std::string expecting = "Expect: 100-continue\r\nContent-Length: 1\r\n";
  const auto fresh = make_session(kHttp, lab.context);
  for (Session* one : {session.get(), fresh.get()}) {
    EXPECT_EQ(one->feed(request("POST /echo", expecting)), Progress::none);
    one->advance(out, false);
    ASSERT_FALSE(out.empty());
    EXPECT_EQ(one->sent(out.size(), true), Progress::none);
    out.clear();
    EXPECT_EQ(one->feed("x"), Progress::none);
    one->advance(out, false);
    EXPECT_EQ(one->sent(out.size(), true), Progress::made);
    out.clear();
  }
}

// Fails where a send of nothing counts as a word, or makes the words before it forgotten.
TEST(HttpSession, LingersOnlyWhereSomethingWasSaid) {
  Lab lab;
  Client client(lab);
  client.session->sent(0, true);
  client.send("", true);
  EXPECT_EQ(client.log(), "over");
  Client used(lab);
  used.send(kH);
  used.session->sent(0, true);
  used.send("", true);
  EXPECT_EQ(used.log(), "200 hello, world | linger");
}

// After the last word input is counted and dropped, up to a bound: then the peer is hung up on.
TEST(HttpSession, DiscardsABoundedAmount) {
  Lab lab;
  Client client(lab);
  client.send("bad\r\n");
  EXPECT_EQ(client.log(), "400 close | linger");
  EXPECT_TRUE(client.session->input().empty()) << "what nobody will read is not kept";
  const std::string bytes(1 << 20, 'x');
  for (int mebibytes = 0; mebibytes < 64; ++mebibytes) {
    ASSERT_EQ(name_of(client.session->phase()), "linger");
    client.send(bytes);
    ASSERT_TRUE(client.session->input().empty());
  }
  EXPECT_EQ(client.log(), "linger");
  client.send("x");
  EXPECT_EQ(client.log(), "over");
}

// The phase does not fall back to a hard close because somebody asks again: closing under a client
// that still sends resets the connection, and the answer may be lost with it.
TEST(HttpSession, StillLingersWhenAskedAgain) {
  for (const bool last : {false, true}) {
    Lab lab;
    Client client(lab);
    client.send(request("GET /hello", "Connection: close\r\n"), last);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(client.session->feed("more"), Progress::none);
      client.send("", last);
      EXPECT_EQ(name_of(client.session->phase()), "linger");
    }
  }
}

TEST(HttpSession, StatsAreJson) {
  Lab lab;
  lab.stats[0].wake_ups.add(7);
  lab.stats[0].accepted.add(42);
  lab.stats[0].open.add(1);
  Client client(lab);
  client.send(kH);
  client.heard.clear();
  client.send(request("GET /stats"));
  EXPECT_THAT(client.log(),
              testing::MatchesRegex("200 <application/json> "
                                    R"(\{"stage":"unit","uptime_seconds":[0-9]+,)"
                                    R"("connections_open":1,"connections_accepted":42,)"
                                    R"("requests":1,"bytes_in":[0-9]+,"bytes_out":[0-9]+,)"
                                    R"("loop_wakeups":7\} \| open)"));
}

// Fails where a counter is one loop's, or another counter; or where a gauge is shown that counts
// nothing, or is divided by nobody.
TEST(Routes, StatsAreThoseOfAllLoops) {
  std::array<Stats, 2> stats;
  number_counters(stats);
  const std::array<Gauge, 2> gauges = {
      {{"silent", []() -> std::optional<std::uint64_t> { return std::nullopt; }},
       {"held", [] { return std::optional<std::uint64_t>(7'000'007); }}}};
  App app;
  app.stage = "two";
  app.stats = stats;
  app.gauges = gauges;
  Context context{app, stats[1]};
  Request request;
  request.method = Method::get;
  request.path = "/stats";
  app.started -= std::chrono::milliseconds(62'500);
  EXPECT_EQ(respond(request, context).body,
            R"({"stage":"two","uptime_seconds":62,"connections_open":1000001,)"
            R"("connections_accepted":10000010,"requests":100000100,"bytes_in":1000001000,)"
            R"("bytes_out":10000010000,"loop_wakeups":100000100000,)"
            R"("held":7000007,"held_per_connection":7})"
            "\n");
  for (Stats& loop : stats) loop.open.set(0);
  EXPECT_THAT(std::string(respond(request, context).body),
              testing::EndsWith("\"held_per_connection\":7000007}\n"));
}

TEST(Date, IsRight) {
  Date date;
  const std::time_t before = std::time(nullptr);
  const std::string line(date.line());
  const std::time_t after = std::time(nullptr);
  std::tm time{};
  ASSERT_NE(strptime(line.c_str(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &time), nullptr) << line;
  EXPECT_GE(timegm(&time), before);
  EXPECT_LE(timegm(&time), after);
}
