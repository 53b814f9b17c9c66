#pragma once
// A floor server: a stage's mechanism, and nothing else. It parses nothing and answers each
// readiness with one canned send, so what it costs is what the kernel and the loop cost. A stage is
// compared with its floor to see what the service adds.
//
// Not for use: no time-outs, no limits, no partial sends, and a request in two pieces gets two
// answers.

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/socket.h"

class Floor {
 public:
  // Flags are those of the stage, as far as the mechanism has them. --pipelined: one answer per
  // empty line in what was received, sent together.
  Floor(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) flags_.append(argv[i]).append(" ");
    pipelined_ = has("--pipelined");
    // As long as what the stages answer to GET /hello.
    constexpr std::string_view kAnswer =
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nhello, world\n";
    for (std::size_t i = 0; i < kMostAnswers; ++i) answers_ += kAnswer;
    size_ = kAnswer.size();
    std::string error;
    fd_ = listen_on("127.0.0.1", 0, error);
    if (!fd_) std::exit(EXIT_FAILURE);
    std::printf("listening on %s (http)\n", local_address(fd_.get()).c_str());
    std::fflush(stdout);
  }

  bool has(std::string_view flag) const { return flags_.find(flag) != std::string::npos; }
  int listener() const { return fd_.get(); }

  // Receives what is there and names the answer; nothing if the client left.
  std::string_view receive(int fd) {
    const ssize_t got = recv(fd, input_, sizeof input_, 0);
    if (got <= 0) return {};
    return answer_to({input_, static_cast<std::size_t>(got)});
  }
  std::string_view answer_to(std::string_view input) const {
    std::size_t count = 1;
    if (pipelined_) {
      count = 0;
      for (std::size_t at = 0; (at = input.find("\r\n\r\n", at)) != input.npos; at += 4) ++count;
    }
    return std::string_view(answers_).substr(0, count * size_);
  }

 private:
  static constexpr std::size_t kMostAnswers = 512;  // more empty lines do not fit into input_

  std::string flags_, answers_;
  std::size_t size_ = 0;
  bool pipelined_ = false;
  UniqueFd fd_;
  char input_[16 * 1024];
};

inline void say(int fd, std::string_view answer) {
  if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;  // its next recv tells why
}
