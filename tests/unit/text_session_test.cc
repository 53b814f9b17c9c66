// The text port without a socket.

#include "tests/unit/support.h"

namespace {

struct Client {
  explicit Client(Lab& lab) : out(lab.context.pool), session(make_session(kText, lab.context)) {}
  Buffer out;
  std::unique_ptr<Session> session;
  std::string heard = {};

  void take(std::size_t count) {
    heard += out.view().substr(0, count);
    session->sent(count, count == out.size());
    out.consume(count);
  }
  void send(std::string_view bytes, bool last = false) {
    session->feed(bytes);
    session->advance(out, last);
  }
};

std::string all_bytes() {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes.push_back(static_cast<char>(value));
  return bytes;
}

}  // namespace

TEST(TextSession, UpperCasesWhateverTheCuts) {
  const std::string bytes = all_bytes() + "hello" + all_bytes();
  std::string expected = bytes;
  for (char& c : expected) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    Lab lab;
    Client client(lab);
    std::size_t at = 0;
    for (const std::size_t cut : random_cuts(bytes.size(), random)) {
      client.send(std::string_view(bytes).substr(at, cut - at));
      at = cut;
      client.take(random() % (client.out.size() + 1));
    }
    client.take(client.out.size());
    ASSERT_EQ(client.heard, expected);
    EXPECT_EQ(client.session->phase(), Phase::open);
  }
}

TEST(TextSession, EchoTouchesNothing) {
  Lab lab;
  lab.app.text_upper = false;
  Client client(lab);
  client.send(all_bytes());
  client.take(256);
  EXPECT_EQ(client.heard, all_bytes());
}

TEST(TextSession, WaitsWhileTheClientDoesNotRead) {
  Lab lab;
  Client client(lab);
  const std::string bytes(12 * 1024, 'a');
  client.send(bytes.substr(1));
  client.send("a");  // below the high-water mark something is
  EXPECT_EQ(client.out.size(), bytes.size());
  client.send("bc");
  EXPECT_EQ(client.out.size(), bytes.size()) << "over the high-water mark nothing is added";
  client.session->feed_eof();
  client.session->advance(client.out, false);
  EXPECT_EQ(client.session->phase(), Phase::open) << "two bytes are not answered yet";
  client.take(bytes.size());
  client.session->advance(client.out, false);
  client.take(client.out.size());
  EXPECT_EQ(client.heard, std::string(bytes.size(), 'A') + "BC");
  EXPECT_EQ(client.session->phase(), Phase::over);
}

TEST(TextSession, FinAfterBytes) {
  Lab lab;
  Client client(lab);
  client.session->feed("abc");
  client.session->feed_eof();
  client.session->advance(client.out, false);
  client.take(client.out.size());
  EXPECT_EQ(client.heard, "ABC");
  EXPECT_EQ(client.session->phase(), Phase::over);
}

TEST(TextSession, DrainAnswersWhatCameAndCloses) {
  Lab lab;
  Client idle(lab);
  idle.send("", true);
  EXPECT_EQ(idle.session->phase(), Phase::over);

  Client busy(lab);
  busy.send("abc", true);
  busy.take(busy.out.size());
  EXPECT_EQ(busy.heard, "ABC");
  for (int i = 0; i < 3; ++i) {
    busy.send("more", true);
    EXPECT_EQ(busy.session->phase(), Phase::linger) << "closing now could reset it";
  }
  EXPECT_TRUE(busy.out.empty());
}

TEST(TextSession, AnyByteRestartsTheClock) {
  Lab lab;
  Client client(lab);
  EXPECT_EQ(client.session->feed("a"), Progress::made);
  EXPECT_EQ(client.session->sent(1, false), Progress::made);
  EXPECT_EQ(client.session->sent(0, true), Progress::none);
  EXPECT_EQ(client.session->received(0), Progress::none);
  EXPECT_FALSE(client.session->expire(client.out)) << "there is nothing to say";
}
