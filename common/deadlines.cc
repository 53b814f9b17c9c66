#include "common/deadlines.h"

#include <cstdio>
#include <cstdlib>

void no_progress(const char* handler) {
  std::fprintf(stderr, "%s: made no progress with the connection whose time is up\n", handler);
  std::abort();
}
