#pragma once
// A listening socket and its clients, for tests of what accepts them.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "common/check.h"
#include "common/socket.h"

inline UniqueFd connect_to(const UniqueFd& listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  check(getsockname(listener.get(), generic, &size), "getsockname");
  UniqueFd fd(check(socket(address.ss_family, SOCK_STREAM, 0), "socket"));
  check(connect(fd.get(), generic, size), "connect");
  return fd;
}

inline UniqueFd listen_here(std::uint16_t port = 0) {
  std::string error;
  UniqueFd fd = listen_on("127.0.0.1", port, error);
  EXPECT_TRUE(fd) << error;
  return fd;
}
