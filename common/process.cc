#include "common/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "common/buffer.h"
#include "common/check.h"

namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void mask_stop_signals(int how) {
  const sigset_t set = stop_signals();
  check_error(pthread_sigmask(how, &set, nullptr), "pthread_sigmask");
}

// As many clients as we may; fewer is no reason not to start.
void raise_descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

void occupy_standard_descriptors(int access) {
  int fd = 0;
  do fd = check(open("/dev/null", access), "open /dev/null");
  while (fd <= STDERR_FILENO);
  close(fd);
}

void prepare_process() {
  occupy_standard_descriptors(O_RDWR);  // or what is printed would go to a client
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  mask_stop_signals(SIG_BLOCK);
  raise_descriptor_limit();
  // Large blocks go straight back to the kernel: without this, malloc learns to keep what was
  // freed.
  mallopt(M_MMAP_THRESHOLD, 4 * BufferPool::kBlockSize);
}

UniqueFd stop_signals_descriptor() {
  const sigset_t set = stop_signals();
  return UniqueFd(check(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), "signalfd"));
}

int read_stop_signals(int fd) {
  int count = 0;
  signalfd_siginfo info{};
  while (read(fd, &info, sizeof info) > 0) ++count;
  return count;
}

void unblock_stop_signals() { mask_stop_signals(SIG_UNBLOCK); }

void end_at_stop_signals() {
  std::signal(SIGTERM, [](int) { std::_Exit(EXIT_SUCCESS); });
  std::signal(SIGINT, [](int) { std::_Exit(EXIT_SUCCESS); });
  unblock_stop_signals();
}

void print_line(int fd, const std::string& line) {
  pollfd out{.fd = fd, .events = POLLOUT, .revents = 0};
  if (poll(&out, 1, 0) != 1) return;
  const std::string whole = line + '\n';
  if (write(fd, whole.data(), whole.size()) < 0) return;
}
