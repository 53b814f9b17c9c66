#pragma once
// A parser among its peers: what it refuses, how often it allocates, and, under callgrind, what one
// head costs it, whole and byte by byte. Each peer is a program; tests/bench/peers.py draws a
// table.

#include <cstdio>
#include <string>
#include <string_view>

#include "tests/bench/counted.h"
#include "tests/bench/workloads.h"

enum class Said { more, complete, refused };

extern "C" void* __libc_malloc(std::size_t size);
inline std::size_t allocations = 0;
extern "C" inline __attribute__((used)) void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}

namespace peer {

struct Case {
  const char* name;
  std::string head;
};

inline std::string post(std::string_view fields) {
  return "POST /upper HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// What a strict server refuses by the head alone, notes/http_parser.md says why.
inline const Case kBad[] = {
    {"no Host", "GET / HTTP/1.1\r\nAccept: a\r\n\r\n"},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"a Host that is none", "GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n"},
    {"length and chunks", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
    {"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n")},
    {"a length of +5", post("Content-Length: +5\r\n")},
    {"a length over 64 bits", post("Content-Length: 99999999999999999999\r\n")},
    {"chunked is not the last", post("Transfer-Encoding: chunked, gzip\r\n")},
    {"a space before the colon", post("X : y\r\n")},
    {"a folded line", post("X: y\r\n z\r\n")},
    {"a lone LF", "GET / HTTP/1.1\nHost: a\n\n"},
    {"NUL in a value", post(std::string_view("X: \0\r\n", 6))},
    {"a target of 9,000 bytes", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"fields of 100 KB", post("X: " + std::string(100'000, 'x') + "\r\n")},
};

// A head that ends is complete or refused; one that is cut is asked for more.
template <typename Parser>
Said byte_by_byte(std::string_view head) {
  Parser parser;
  Said said = Said::more;
  for (std::size_t seen = 1; seen <= head.size() && said == Said::more; ++seen) {
    said = parser.parse(head.substr(0, seen), seen - 1);
  }
  return said;
}

template <typename Parser>
void parse(std::string_view head) {
  Parser parser;
  workload::use(parser.parse(head, 0));
}

// Fails where it cannot even read what each of them has to.
template <typename Parser>
int judge() {
  const std::string_view good[] = {workload::kLeast, workload::kCurl, workload::kBrowser};
  for (const std::string_view head : good) {
    if (Parser().parse(head, 0) != Said::complete) return EXIT_FAILURE;
    if (byte_by_byte<Parser>(head) != Said::complete) return EXIT_FAILURE;
  }
  for (const Case& bad : kBad) {
    std::printf("%s: %s\n", bad.name, Parser().parse(bad.head, 0) == Said::refused ? "yes" : "no");
  }
  const std::size_t before = allocations;
  if (before == 0) return EXIT_FAILURE;  // those of the strings above were not seen
  parse<Parser>(workload::kBrowser);
  std::printf("allocations: %zu\n", allocations - before);
  count("45", [] { parse<Parser>(workload::kLeast); });
  count("107", [] { parse<Parser>(workload::kCurl); });
  count("703", [] { parse<Parser>(workload::kBrowser); });
  count("703_cut", [] { byte_by_byte<Parser>(workload::kBrowser); });
  return EXIT_SUCCESS;
}

}  // namespace peer
