#pragma once
// What the programs of notes/where_next.md share: their flags, and a listener that says where it
// is.

#include <cstdio>
#include <string>
#include <string_view>

#include "notes/kernel/kernel.h"

// What stands behind a flag: --text-port 7000.
inline std::string flag(char** words, std::string_view name, std::string otherwise) {
  while (*words != nullptr && *words != name) ++words;
  return *words != nullptr && words[1] != nullptr ? words[1] : otherwise;
}

// With SOCK_NONBLOCK among `flags`, accepting never sleeps.
inline UniqueFd listen_as_told(char** words, int flags) {
  UniqueFd listener = new_socket(flags);
  set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  const int port = std::stoi(flag(words, "--text-port", "7000"));
  listener = listening(std::move(listener), htons(static_cast<in_port_t>(port)));
  std::printf("listening on %s (text)\n", local_address(listener.get()).c_str());
  std::fflush(stdout);
  return listener;
}
