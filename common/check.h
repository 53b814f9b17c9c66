#pragma once
// The doors for set-up calls: what may not fail while a program starts. Each says which call did,
// on stderr, and exits 1. Never on the traffic path: there a failure is one client's.

// A call that returns -1 and sets errno; libevent's may leave it at 0. Returns what it returned.
int check(int result, const char* call);

// A call that returns the error itself, 0 for none, and leaves errno alone: the pthread family.
void check_error(int error, const char* call);

// A call that returns a null pointer and need not set errno: libevent's constructors.
[[noreturn]] void check_failed(const char* call);
template <typename T>
T* check(T* result, const char* call) {
  if (result == nullptr) check_failed(call);
  return result;
}
