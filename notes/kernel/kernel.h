#pragma once
// What the experiments share: two connected ends on loopback, and names for what the kernel says.

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/socket.h"

// Without the options of listen_on: an experiment sets those that it is about.
inline UniqueFd new_socket(int flags = 0) {
  return UniqueFd(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"));
}

inline void set(const UniqueFd& fd, int level, int option, int value) {
  check(setsockopt(fd.get(), level, option, &value, sizeof value), "setsockopt");
}

inline sockaddr_in loopback(in_port_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = port;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

inline int bind_to(const UniqueFd& fd, in_port_t port) {
  const sockaddr_in at = loopback(port);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

inline UniqueFd listening(UniqueFd fd = new_socket(), in_port_t port = 0) {
  check(bind_to(fd, port), "bind");
  check(listen(fd.get(), 100), "listen");
  return fd;
}

inline in_port_t port_of(const UniqueFd& fd) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  check(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size), "getsockname");
  return at.sin_port;
}

inline UniqueFd connected_to(const UniqueFd& listener, UniqueFd fd = new_socket()) {
  const sockaddr_in to = loopback(port_of(listener));
  check(connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  return fd;
}

inline UniqueFd accepted(const UniqueFd& listener, int flags = SOCK_NONBLOCK) {
  return UniqueFd(check(accept4(listener.get(), nullptr, nullptr, flags), "accept4"));
}

struct Pair {
  UniqueFd ours;  // never waits: EAGAIN
  UniqueFd peer;
};

inline Pair connected() {
  const UniqueFd listener = listening();
  UniqueFd peer = connected_to(listener);
  return {accepted(listener), std::move(peer)};
}

// Closes by RST, without a FIN before it.
inline void reset(UniqueFd& fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  check(setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
  fd.reset();
}

inline void say(const UniqueFd& fd, std::string_view bytes) {
  check(static_cast<int>(send(fd.get(), bytes.data(), bytes.size(), 0)), "send");
}

inline UniqueFd new_tree() {
  return UniqueFd(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
}

// With each event comes `name` back.
inline void add(const UniqueFd& tree, const UniqueFd& fd, std::uint32_t interest,
                std::uint32_t name = 0) {
  epoll_event event{.events = interest, .data = {.u32 = name}};
  check(epoll_ctl(tree.get(), EPOLL_CTL_ADD, fd.get(), &event), "epoll_ctl");
}

// What a call returned: a number, or the name of the error.
inline std::string said(ssize_t result) {
  return result >= 0 ? std::to_string(result) : strerrorname_np(errno);
}

// Until the kernel says one of `events`; ERR and HUP are always waited for.
inline void wait_for(const UniqueFd& fd, short events) {
  pollfd one{.fd = fd.get(), .events = events, .revents = 0};
  if (check(poll(&one, 1, 5000), "poll") == 0) check_failed("what should come");
}

// What the tree reports at once about its only descriptor.
inline std::string bits(const UniqueFd& tree) {
  epoll_event event{};
  check(epoll_wait(tree.get(), &event, 1, 0), "epoll_wait");
  std::string result;
  if (event.events & EPOLLIN) result += "IN ";
  if (event.events & EPOLLOUT) result += "OUT ";
  if (event.events & EPOLLRDHUP) result += "RDHUP ";
  if (event.events & EPOLLERR) result += "ERR ";
  if (event.events & EPOLLHUP) result += "HUP ";
  return result.empty() ? "-" : result;
}
