#include "02_epoll_reactor/reactor.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

Reactor::Reactor(Rearm rearm)
    : tree_(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), rearm_(rearm) {}

bool Reactor::watch(Channel& channel, uint32_t interest, Handler handler) {
  channel.handler = std::move(handler);
  return watch(channel, interest);
}

bool Reactor::watch(Channel& channel, uint32_t interest) {
  if (channel.interest == interest) return true;
  if (channel.interest == 0) return control(EPOLL_CTL_ADD, channel, interest);
  if (interest != 0 && rearm_ == Rearm::mod) return control(EPOLL_CTL_MOD, channel, interest);
  const bool off = control(EPOLL_CTL_DEL, channel, 0);
  return interest == 0 ? off : control(EPOLL_CTL_ADD, channel, interest);
}

bool Reactor::control(int operation, Channel& channel, uint32_t interest) {
  epoll_event event{.events = interest, .data = {.ptr = &channel}};
  if (epoll_ctl(tree_.get(), operation, channel.fd.get(), &event) < 0) return false;
  channel.interest = interest;
  return true;
}

void Reactor::at(Clock::time_point deadline, Handler handler) {
  deadline_ = deadline;
  timer_ = std::move(handler);
}

void Reactor::wait(Clock::time_point now) {
  const int timeout = milliseconds_until(deadline_, now);
  const int room = static_cast<int>(events_.size());
  const int count = epoll_wait(tree_.get(), events_.data(), room, timeout);
  ready_ = std::span(events_).first(static_cast<size_t>(std::max(count, 0)));
}

void Reactor::dispatch(Clock::time_point now) {
  for (const epoll_event& event : ready_) {
    Channel& channel = *static_cast<Channel*>(event.data.ptr);
    // An error is not a third case: the read or write that we wait for says what is wrong. A
    // channel that was taken off earlier in this batch has no interest left: its events are stale.
    const bool error = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    const uint32_t happened = error ? channel.interest : event.events & channel.interest;
    if (happened == 0) continue;
    const Handler handler = channel.handler;  // a copy, because it may set the next one
    handler();
  }
  if (deadline_ <= now) timer_();
}
