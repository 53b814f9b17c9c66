// Debian's node-llhttp has it where no compiler looks.
#include </usr/share/include/llhttp/llhttp.h>

#include "tests/bench/peers/pieces.h"

struct Llhttp {
  Pieces pieces;
  llhttp_t parser;

  Llhttp() {
    static const auto settings = Pieces::settings<llhttp_settings_t, llhttp_t>();
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &pieces;
  }
  Said parse(std::string_view head, std::size_t seen_before) {
    head.remove_prefix(seen_before);
    const llhttp_errno_t error = llhttp_execute(&parser, head.data(), head.size());
    workload::use(pieces);
    if (error != HPE_OK) return Said::refused;
    return pieces.complete ? Said::complete : Said::more;
  }
};

int main() { return peer::judge<Llhttp>(); }
