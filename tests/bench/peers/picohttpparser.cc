// As libh2o has it: the library's headers do not declare it.

#include "tests/bench/peers/peer.h"

struct phr_header {
  const char* name;
  std::size_t name_len;
  const char* value;
  std::size_t value_len;
};
extern "C" int phr_parse_request(const char* head, std::size_t size, const char** method,
                                 std::size_t* method_size, const char** target,
                                 std::size_t* target_size, int* minor, phr_header* fields,
                                 std::size_t* field_count, std::size_t seen_before);

struct Pico {
  phr_header fields[100];  // the caller says how many there may be

  Said parse(std::string_view head, std::size_t seen_before) {
    const char *method, *target;
    std::size_t method_size, target_size, count = std::size(fields);
    int minor;
    const int found = phr_parse_request(head.data(), head.size(), &method, &method_size, &target,
                                        &target_size, &minor, fields, &count, seen_before);
    workload::use(fields);
    if (found == -2) return Said::more;
    return found < 0 ? Said::refused : Said::complete;
  }
};

int main() { return peer::judge<Pico>(); }
