// What no client can bring about: the handlers of stage 2 make no use of it. The exit status says
// whether all is well, stderr what is not. Whether memory is used that is free, AddressSanitizer
// sees.

#include <unistd.h>

#include <cstdio>
#include <string>

#include "02_epoll_reactor/reactor.h"
#include "common/check.h"

namespace {

constexpr unsigned kSeconds = 10;  // a wait that never ends is no end of the check

// A channel that is ready from the beginning.
struct Ready {
  Ready() {
    int ends[2];
    check(pipe(ends), "pipe");
    channel.fd.reset(ends[0]);
    writing.reset(ends[1]);
    check(static_cast<int>(write(writing.get(), "x", 1)), "write");
  }

  Channel channel = {};
  UniqueFd writing = {};
};

void turn(Reactor& reactor) {
  const Clock::time_point now = Clock::now();
  reactor.wait(now);
  reactor.dispatch(now);
}

// It sets the next one, and only then uses what it has captured: too much to lie in the function
// itself, so it is freed as soon as nobody has a copy.
bool may_replace_itself() {
  Reactor reactor(Rearm::mod);
  Ready ready;
  std::string said;
  const std::string first = "the first one, which takes some memory; ";
  reactor.watch(ready.channel, EPOLLIN, [&reactor, &ready, &said, first] {
    reactor.watch(ready.channel, EPOLLIN, [&said] { said += "the second one"; });
    said += first;
  });
  turn(reactor);
  turn(reactor);
  return said == first + "the second one";
}

// Both are ready in one batch, and whichever is called first takes the other one off.
bool is_not_called_once_off() {
  Reactor reactor(Rearm::mod);
  Ready ready[2];
  int calls = 0;
  for (int i : {0, 1}) {
    Channel& other = ready[1 - i].channel;
    reactor.watch(ready[i].channel, EPOLLIN, [&reactor, &other, &calls] {
      reactor.watch(other, 0);
      ++calls;
    });
  }
  turn(reactor);
  return calls == 1;
}

}  // namespace

int main() {
  alarm(kSeconds);
  if (!may_replace_itself()) {
    std::fputs("a handler sets the next one: not both were called, in this order\n", stderr);
    return 1;
  }
  if (!is_not_called_once_off()) {
    std::fputs("two channels take each other off: not exactly one was called\n", stderr);
    return 1;
  }
  return 0;
}
