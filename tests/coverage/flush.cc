// Linked into the coverage build alone: a process that ends without exit(3) would take its counters
// with it. The linker hands us the calls (--wrap).

// NOLINTBEGIN(bugprone-reserved-identifier): these names are theirs
extern "C" {
void __gcov_dump();
[[noreturn]] void __real_abort();
[[noreturn]] void __real__Exit(int status);

[[noreturn]] void __wrap_abort();
[[noreturn]] void __wrap__Exit(int status);

void __wrap_abort() {
  __gcov_dump();
  __real_abort();
}

void __wrap__Exit(int status) {
  __gcov_dump();
  __real__Exit(status);
}
}
// NOLINTEND(bugprone-reserved-identifier)
