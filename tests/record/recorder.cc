#include "tests/record/recorder.h"

#include <fcntl.h>
#include <link.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <set>
#include <vector>

namespace recorder {

namespace {

constexpr std::int64_t kNever = INT64_MAX;
constexpr std::int64_t kMillisecond = 1'000'000;

std::int64_t kernel_clock() {
  timespec real{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &real);
  return std::int64_t{real.tv_sec} * 1'000'000'000 + real.tv_nsec;
}

struct Wait {
  int tree;
  int timeout;
  bool woken = false;  // record.py has been told that it is over
};

struct State {
  State();

  int channel = -1;
  std::uintptr_t start = 0, end = 0;       // of the program in memory
  std::vector<std::uintptr_t> shown = {};  // where its functions begin that are told of, sorted
  std::set<int> clients = {};
  std::int64_t clock = kernel_clock();  // where it stands
  std::int64_t lag = 0;                 // behind the kernel's, once nobody listens any more
  Wait* waiting = nullptr;
};

// Made before anything of the server's own is.
State& state() {
  static State the;
  return the;
}

void find_program(State& the) {
  const auto look = [](dl_phdr_info* info, std::size_t, void* found) {
    State& into = *static_cast<State*>(found);
    into.start = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& part = info->dlpi_phdr[i];
      if (part.p_type == PT_LOAD)
        into.end = std::max(into.end, info->dlpi_addr + part.p_vaddr + part.p_memsz);
    }
    return 1;  // the first one is the program
  };
  dl_iterate_phdr(look, &the);
}

// As high as it may be: the server's own descriptors have the numbers that they always have.
int move_up(int fd) {
  constexpr int kHigh = 1000;
  const char* files = std::getenv("LAB_RECORD_FILES");
  const int least = files == nullptr ? kHigh : std::atoi(files);
  const auto high = static_cast<int>(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least));
  syscall(SYS_close, fd);
  return high;
}

int connect_to(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int fd = static_cast<int>(syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (syscall(SYS_connect, fd, &address, sizeof address) < 0) {
    std::perror(path);
    std::_Exit(EXIT_FAILURE);
  }
  return move_up(fd);
}

State::State() {
  const char* path = std::getenv("LAB_RECORD");
  if (path == nullptr) return;
  find_program(*this);
  channel = connect_to(path);
  std::string functions(1 << 16, '\0');  // record.py's first message: where they begin, sorted
  syscall(SYS_recvfrom, channel, functions.data(), functions.size() - 1, 0, nullptr, nullptr);
  const char* at = functions.data();
  for (char* rest = nullptr;; at = rest) {
    const std::uintptr_t place = std::strtoul(at, &rest, 16);
    if (rest == at) break;
    shown.push_back(start + place);
  }
}

// record.py is gone, or has seen enough: from now on time passes.
void hang_up(State& the) {
  syscall(SYS_close, the.channel);
  the.channel = -1;
  the.lag = kernel_clock() - the.clock;
}

// One message of record.py's: 'T' and where the clock is to stand, 'R' or 'A' (go on). To a server
// that sleeps on, the first two are questions how things are. 0: it has hung up.
char hear(State& the) {
  std::array<char, 32> said{};
  const ssize_t size =
      syscall(SYS_recvfrom, the.channel, said.data(), said.size() - 1, 0, nullptr, nullptr);
  if (size < 0 && errno == EINTR) return 'I';
  if (size <= 0) {
    hang_up(the);
    return 0;
  }
  if (said[0] == 'T') the.clock = std::atoll(&said[1]);
  return said[0];
}

struct Frames {
  std::string text = {};
  std::uintptr_t previous = 0;
};

// " ADDRESS:FRAME" for each function of the program that is being run, the innermost first. What
// the unwinder calls a frame's CFA is that of the one it was called from here: one behind.
_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* to) {
  Frames& frames = *static_cast<Frames*>(to);
  const State& the = state();
  std::array<char, 64> text{};
  if (frames.previous != 0) {
    std::snprintf(text.data(), text.size(), " %lx:%lx", frames.previous - the.start,
                  static_cast<std::uintptr_t>(_Unwind_GetCFA(context)));
    frames.text += text.data();
  }
  const std::uintptr_t place = _Unwind_GetIP(context);
  frames.previous = the.start <= place && place < the.end ? place : 0;
  return _URC_NO_REASON;
}

// Not SIOCOUTQ: that counts what has arrived until the client's kernel says so, which it puts off.
std::string kernel_buffers(const State& the) {
  std::string text;
  for (const int fd : the.clients) {
    int in = 0, out = 0;
    syscall(SYS_ioctl, fd, SIOCINQ, &in);
    syscall(SYS_ioctl, fd, SIOCOUTQNSD, &out);
    text += "\ns " + std::to_string(fd) + ' ' + std::to_string(in) + ' ' + std::to_string(out);
  }
  return text;
}

// A signal may come when the server sleeps, not while it stands still for a mark.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_ = {};
};

// Sleeps until the tree has something, record.py says something, or a signal comes. False: the
// last.
bool sleep(State& the, int tree, bool& ready, bool& said) {
  std::array<pollfd, 2> both = {{{tree, POLLIN, 0}, {the.channel, POLLIN, 0}}};
  if (syscall(SYS_ppoll, both.data(), both.size(), nullptr, nullptr, 0) < 0) return false;
  ready = both[0].revents != 0;
  said = both[1].revents != 0;
  return true;
}

int really_wait(int tree, epoll_event* events, int room, int timeout) {
  return static_cast<int>(syscall(SYS_epoll_pwait, tree, events, room, timeout, nullptr, 8));
}

void tell_result(const Wait& wait, const std::string& events, const std::string& result) {
  tell('C', "epoll_wait(" + std::to_string(wait.tree) + ", [" + events + "], 1, " +
                std::to_string(wait.timeout) + ") = " + result);
}

}  // namespace

bool listens() { return state().channel >= 0 && getpid() == gettid(); }

std::int64_t now() {
  State& the = state();
  return the.channel >= 0 ? the.clock : kernel_clock() - the.lag;
}

void remember_client(int fd) { state().clients.insert(fd); }
void forget_client(int fd) { state().clients.erase(fd); }

std::string address(const void* place) {
  const State& the = state();
  const auto at = reinterpret_cast<std::uintptr_t>(place);
  const bool inside = the.start <= at && at < the.end;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), inside ? "+%lx" : "%lx", inside ? at - the.start : at);
  return text.data();
}

void tell(char kind, const std::string& what) {
  State& the = state();
  const SignalsBlocked blocked;
  const int error = errno;
  Frames frames;
  _Unwind_Backtrace(add_frame, &frames);
  const std::string message = kind + (' ' + what) + "\nt " + std::to_string(the.clock) + "\nb" +
                              frames.text + kernel_buffers(the) + libevent_state();
  const ssize_t sent =
      syscall(SYS_sendto, the.channel, message.data(), message.size(), MSG_NOSIGNAL, nullptr, 0);
  if (sent < 0) hang_up(the);
  while (the.channel >= 0 && hear(the) != 'A') continue;
  errno = error;
}

void wake_if_interrupted() {
  Wait* wait = state().waiting;
  if (wait == nullptr || wait->woken) return;
  wait->woken = true;
  tell('K');
  tell_result(*wait, "", "-1 EINTR");
  tell('G');
}

int wait(int tree, epoll_event* events, int room, int timeout) {
  State& the = state();
  Wait waiting{tree, timeout};
  const std::int64_t deadline = timeout < 0 ? kNever : the.clock + timeout * kMillisecond;
  if (timeout != 0) tell('W', std::to_string(timeout));
  the.waiting = &waiting;
  int count = 0;
  for (bool over = false; !over && the.channel >= 0;) {
    bool ready = timeout == 0, said = false;
    const bool interrupted = timeout != 0 && !sleep(the, tree, ready, said);
    const bool asked = said && hear(the) != 0;
    if (asked && the.clock < deadline) tell('R');
    over = interrupted || ready || deadline <= the.clock;
    if (!over || waiting.woken) continue;
    if (timeout != 0) tell('K');
    count = interrupted ? -1 : really_wait(tree, events, room, 0);
    over = interrupted || count != 0 || deadline <= the.clock;
  }
  the.waiting = nullptr;
  if (the.channel < 0 && !waiting.woken) return really_wait(tree, events, room, timeout);
  if (!waiting.woken) {
    if (count < 0) tell_result(waiting, "", "-1 EINTR");
    if (count >= 0) tell_result(waiting, events_text(events, count), std::to_string(count));
  }
  errno = EINTR;  // means nothing but after -1
  return waiting.woken ? -1 : count;
}

}  // namespace recorder

// NOLINTBEGIN(bugprone-reserved-identifier): the compiler's name
extern "C" void __cyg_profile_func_enter(void* function, void*);
extern "C" void __cyg_profile_func_exit(void*, void*);

extern "C" void __cyg_profile_func_enter(void* function, void*) {
  const auto& shown = recorder::state().shown;
  const auto place = reinterpret_cast<std::uintptr_t>(function);
  if (!recorder::listens() || !std::binary_search(shown.begin(), shown.end(), place)) return;
  recorder::wake_if_interrupted();
  recorder::tell('E');
}
extern "C" void __cyg_profile_func_exit(void*, void*) {}
// NOLINTEND(bugprone-reserved-identifier)
