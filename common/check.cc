#include "common/check.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int check(int result, const char* call) {
  if (result >= 0) return result;
  check_error(errno, call);
  check_failed(call);
}

void check_error(int error, const char* call) {
  if (error == 0) return;
  std::fprintf(stderr, "%s: %s\n", call, std::strerror(error));
  std::exit(EXIT_FAILURE);
}

void check_failed(const char* call) {
  std::fprintf(stderr, "%s failed\n", call);
  std::exit(EXIT_FAILURE);
}
