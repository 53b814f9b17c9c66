#pragma once
// A library that is loaded into a server (LD_PRELOAD) and tells record.py what the server does:
// each system call that it or libevent makes, in strace's words (calls.cc), and each function that
// it enters (the build calls us there: -finstrument-functions). After each of these marks the
// server stands still until record.py has looked at it. Only the main thread is told of.
//
// The clock that the server sees stands still, too, and moves when record.py says so, while the
// server waits: a recording does not depend on how fast the machine is, and no time-out has to be
// sat out.

#include <dlfcn.h>
#include <sys/epoll.h>

#include <cstdint>
#include <string>

namespace recorder {

// Somebody listens. Without, all is as if this library were not there.
bool listens();

// A mark: its kind (tests/record/marks.py lists them) and what belongs to it.
void tell(char kind, const std::string& what = {});

// A client's socket: what the kernel holds for it is part of each mark, until it is forgotten.
void remember_client(int fd);
void forget_client(int fd);

std::int64_t now();  // nanoseconds of the clock that the server sees

// epoll_wait(2) by that clock.
int wait(int tree, epoll_event* events, int room, int timeout);
// To be called before each mark: a signal handler that says something has woken the server.
void wake_if_interrupted();

std::string events_text(const epoll_event* events, int count);
std::string libevent_state();
std::string address(const void* place);  // relative to the program: "+1f40"; else absolute

// What this library stands in front of. Null where it is not loaded.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace recorder
