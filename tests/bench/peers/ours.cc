#include "tests/bench/peers/peer.h"

struct Ours {
  HttpParser parser;

  Said parse(std::string_view head, std::size_t) {
    const ParseResult found = parser.parse(head);
    if (found.kind == ParseResult::kNeedMore) return Said::more;
    if (found.kind == ParseResult::kRefused) return Said::refused;
    workload::use(parser.request(head));
    return Said::complete;
  }
};

int main() { return peer::judge<Ours>(); }
