// Who may come in, and when the loop ends.

#include "common/admission.h"

#include "tests/unit/sockets.h"
#include "tests/unit/support.h"

namespace {

using namespace std::chrono_literals;

class AdmissionTest : public testing::Test {
 protected:
  void enter(int count) {
    for (int i = 0; i < count; ++i) admission.entered();
  }

  Stats stats;
  Clock::time_point now = Clock::now();
  Admission admission{stats, 2, 5s, now};
};

}  // namespace

TEST_F(AdmissionTest, CountsAndStopsAtTheLimit) {
  enter(1);
  EXPECT_TRUE(admission.accepting());
  enter(1);
  EXPECT_FALSE(admission.accepting());
  EXPECT_EQ(stats.open.get(), 2U);
  admission.left(1);
  EXPECT_TRUE(admission.accepting());
  EXPECT_EQ(stats.open.get(), 1U);
  EXPECT_EQ(stats.accepted.get(), 2U);
  EXPECT_EQ(admission.next_deadline(), kNever) << "no time is waited for";
}

TEST_F(AdmissionTest, AcceptsWithinTheLimit) {
  const UniqueFd listener = listen_here();
  EXPECT_FALSE(admission.accept(listener.get())) << "nobody waits";
  EXPECT_TRUE(admission.accepting()) << "which is no reason to pause";
  const std::array clients = {connect_to(listener), connect_to(listener), connect_to(listener)};
  EXPECT_TRUE(admission.accept(listener.get()));
  EXPECT_TRUE(admission.accept(listener.get()));
  EXPECT_FALSE(admission.accept(listener.get())) << "full";
  admission.stop(1);
  EXPECT_TRUE(admission.accept(listener.get())) << "a drain serves who waits in the queue";
  EXPECT_FALSE(admission.accept(listener.get()));
  EXPECT_EQ(stats.open.get(), 3U);
}

TEST_F(AdmissionTest, PausesUntilTimeOrAClientGoes) {
  enter(1);
  admission.pause();
  EXPECT_FALSE(admission.accepting());
  EXPECT_EQ(admission.next_deadline(), now + 100ms);
  admission.left(0);
  EXPECT_FALSE(admission.accepting()) << "nothing has changed";
  now += 100ms - 1us;
  admission.left(0);
  EXPECT_FALSE(admission.accepting()) << "a little more";
  now += 1us;
  admission.left(0);
  EXPECT_TRUE(admission.accepting());
  EXPECT_EQ(admission.next_deadline(), kNever);

  admission.pause();
  admission.left(1);
  EXPECT_TRUE(admission.accepting()) << "a descriptor is free";
}

TEST_F(AdmissionTest, DrainsUntilNobodyIsLeft) {
  EXPECT_FALSE(admission.over()) << "nobody has come yet";
  enter(2);
  EXPECT_FALSE(admission.over());
  admission.stop(1);
  EXPECT_TRUE(admission.draining());
  EXPECT_FALSE(admission.accepting()) << "the listener is not watched any more";
  EXPECT_FALSE(admission.over());
  admission.left(1);
  EXPECT_FALSE(admission.over());
  admission.left(1);
  EXPECT_TRUE(admission.over());
  EXPECT_FALSE(admission.cut_short());
}

TEST_F(AdmissionTest, IsCutShortByTheGrace) {
  enter(1);
  admission.stop(1);
  EXPECT_EQ(admission.next_deadline(), now + 5s);
  now += 5s - 1us;
  EXPECT_FALSE(admission.over());
  now += 1us;
  EXPECT_TRUE(admission.over());
}

TEST_F(AdmissionTest, IsCutShortByASecondStop) {
  enter(1);
  admission.stop(1);
  admission.stop(1);
  EXPECT_TRUE(admission.cut_short());
  EXPECT_FALSE(admission.accept(-1)) << "and accepts nobody";

  Stats others;
  Admission at_once(others, 1, 5s, now);
  at_once.entered();
  at_once.stop(2);
  EXPECT_TRUE(at_once.over()) << "two that came together count as two";
}
