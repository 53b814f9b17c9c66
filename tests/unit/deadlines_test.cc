// Who is due when: the states of a connection, without descriptors and with a clock of our own.

#include "common/deadlines.h"

#include <csignal>

#include "tests/unit/support.h"

namespace {

using namespace std::chrono_literals;

struct Member {
  int number;
  Deadlines<Member>::Place place = {};
};

class DeadlinesTest : public testing::Test {
 protected:
  // The members that are due, in the order in which they were asked to move.
  static std::vector<int> asked;
  static void note_and_close(Member& m) {
    asked.push_back(m.number);
    list_of_the_test->close(m);
  }
  static Deadlines<Member>* list_of_the_test;  // a handler is a plain function

  void SetUp() override {
    asked.clear();
    list_of_the_test = &deadlines;
  }

  const Clock::time_point start = Clock::now();
  Clock::time_point now = start;
  Deadlines<Member> deadlines{10s, now};
};
std::vector<int> DeadlinesTest::asked;
Deadlines<Member>* DeadlinesTest::list_of_the_test = nullptr;

}  // namespace

TEST(Clock, IsNeverRoundedDown) {
  const Clock::time_point now = Clock::now();
  EXPECT_EQ(milliseconds_until(kNever, now), -1);
  EXPECT_EQ(milliseconds_until(now, now), 0);
  EXPECT_EQ(milliseconds_until(now - 1h, now), 0);
  EXPECT_EQ(milliseconds_until(now + 1ns, now), 1);
  EXPECT_EQ(milliseconds_until(now + 1ms, now), 1);
  EXPECT_EQ(milliseconds_until(now + 1001us, now), 2);
  EXPECT_EQ(milliseconds_until(now + 365 * 24h, now), 86'400'000) << "a day, and no overflow";
}

TEST(Clock, ToTimevalKeepsMicroseconds) {
  const timeval time = to_timeval(1500001us);
  EXPECT_EQ(time.tv_sec, 1);
  EXPECT_EQ(time.tv_usec, 500001);
}

TEST_F(DeadlinesTest, NextIsTheEarliestOfAllStates) {
  EXPECT_EQ(deadlines.next(), kNever);
  Member& first = deadlines.add({1});
  now += 2s;
  Member& second = deadlines.add({2});
  EXPECT_EQ(deadlines.next(), start + 10s);
  deadlines.restart_clock(first);
  EXPECT_EQ(deadlines.next(), start + 12s) << "second's";
  EXPECT_TRUE(deadlines.linger(second));
  EXPECT_EQ(deadlines.next(), now + 1s) << "a shorter time-out, in a list behind it";
  EXPECT_TRUE(deadlines.last_look(first));
  EXPECT_EQ(deadlines.next(), now + 750ms);
  deadlines.close(first);
  deadlines.close(second);
  EXPECT_EQ(deadlines.next(), kNever);
}

TEST_F(DeadlinesTest, ExpiresWhoIsDueAndNobodyElse) {
  deadlines.add({1});
  now += 1s;
  Member& second = deadlines.add({2});
  deadlines.add({3});
  deadlines.restart_clock(second);  // behind 3 now, with the same deadline
  now = start + 10s - 1ms;
  deadlines.expire(note_and_close);
  EXPECT_THAT(asked, testing::IsEmpty());
  now += 1ms;
  deadlines.expire(note_and_close);
  EXPECT_THAT(asked, testing::ElementsAre(1));
  now += 1s;
  deadlines.expire(note_and_close);
  EXPECT_THAT(asked, testing::ElementsAre(1, 3, 2));
  deadlines.expire(note_and_close);
  EXPECT_EQ(asked.size(), 3U) << "once each";
}

TEST_F(DeadlinesTest, OneLastLookUntilTheClockStartsAnew) {
  Member& member = deadlines.add({1});
  EXPECT_TRUE(deadlines.last_look(member));
  EXPECT_FALSE(deadlines.last_look(member));
  now += kLastLookTime;
  deadlines.expire(note_and_close);
  EXPECT_THAT(asked, testing::ElementsAre(1));

  Member& other = deadlines.add({2});
  EXPECT_TRUE(deadlines.last_look(other));
  deadlines.restart_clock(other);
  EXPECT_TRUE(deadlines.last_look(other)) << "an answer later";
}

TEST_F(DeadlinesTest, LingeringRunsOnWhenAskedAgain) {
  Member& member = deadlines.add({1});
  EXPECT_TRUE(deadlines.linger(member));
  now += kLingerTime - 1ms;
  EXPECT_FALSE(deadlines.linger(member)) << "it does not begin again";
  EXPECT_FALSE(deadlines.last_look(member)) << "it has no more time";
  now += 1ms;
  deadlines.expire(note_and_close);
  EXPECT_THAT(asked, testing::ElementsAre(1));
}

TEST_F(DeadlinesTest, ClosedIsFreedAfterTheBatchOnly) {
  Member& first = deadlines.add({1});
  deadlines.add({2});
  deadlines.close(first);
  EXPECT_EQ(first.number, 1) << "it still exists";
  EXPECT_THAT(deadlines.serving(), testing::SizeIs(1));
  EXPECT_EQ(deadlines.free_closed(), 1U);
  EXPECT_EQ(deadlines.free_closed(), 0U);
}

TEST_F(DeadlinesTest, ServingIsACopyThatCanBeMoved) {
  for (int i = 0; i < 3; ++i) deadlines.add({i});
  deadlines.linger(*deadlines.serving().back());
  std::vector<int> seen;
  for (Member* member : deadlines.serving()) {
    seen.push_back(member->number);
    deadlines.restart_clock(*member);
  }
  EXPECT_THAT(seen, testing::ElementsAre(0, 1));
}

// Fails where one that stays where it was, because it is alone there, is taken for one that did not
// move.
TEST_F(DeadlinesTest, AHandlerMayStartTheClockAnew) {
  deadlines.add({1});
  now += 10s;
  deadlines.expire([](Member& m) { list_of_the_test->restart_clock(m); });
  EXPECT_EQ(deadlines.next(), now + 10s);
}

TEST_F(DeadlinesTest, AHandlerThatMovesNothingIsNamed) {
  deadlines.add({1});
  now += 10s;
  EXPECT_EXIT(deadlines.expire([](Member&) {}), testing::KilledBySignal(SIGABRT),
              "^on_time_up: made no progress");
}
