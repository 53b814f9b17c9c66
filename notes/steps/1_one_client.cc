// Step 1: one client after the other.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

namespace {

// Without these calls there is no server.
int check(int result, const char* call) {
  if (result >= 0) return result;
  std::perror(call);
  std::exit(EXIT_FAILURE);
}

// The number behind a flag: --text-port 7000.
int flag(char** words, std::string_view name, int otherwise) {
  while (*words != nullptr && *words != name) ++words;
  return *words != nullptr && words[1] != nullptr ? std::atoi(words[1]) : otherwise;
}

int listen_on(int port) {
  const int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
  const int yes = 1;  // the port can be used again as soon as we have ended
  check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "setsockopt");
  sockaddr_in address{AF_INET, htons(static_cast<in_port_t>(port)), {htonl(INADDR_LOOPBACK)}, {}};
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  check(bind(fd, generic, size), "bind");
  check(listen(fd, SOMAXCONN), "listen");
  check(getsockname(fd, generic, &size), "getsockname");
  std::printf("listening on 127.0.0.1:%d (text)\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

void to_upper(std::span<char> text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
}

void serve(int client) {
  char bytes[16 * 1024];
  for (;;) {
    const ssize_t got = recv(client, bytes, sizeof bytes, 0);
    if (got <= 0) return;  // it has said its last word, or is gone
    const std::span text(bytes, static_cast<size_t>(got));
    to_upper(text);
    send(client, text.data(), text.size(), MSG_NOSIGNAL);  // if it is gone: an error, no SIGPIPE
  }
}

}  // namespace

int main(int, char** argv) {
  const int listener = listen_on(flag(argv, "--text-port", 7000));
  for (;;) {
    const int client = check(accept4(listener, nullptr, nullptr, 0), "accept4");
    serve(client);
    close(client);
  }
}
