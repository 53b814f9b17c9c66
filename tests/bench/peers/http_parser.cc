#include <http_parser.h>

#include "tests/bench/peers/pieces.h"

struct HttpParserOfNode {
  Pieces pieces;
  http_parser parser;

  HttpParserOfNode() {
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &pieces;
  }
  Said parse(std::string_view head, std::size_t seen_before) {
    static const auto settings = Pieces::settings<http_parser_settings, http_parser>();
    head.remove_prefix(seen_before);
    http_parser_execute(&parser, &settings, head.data(), head.size());
    workload::use(pieces);
    if (parser.http_errno != HPE_OK) return Said::refused;
    return pieces.complete ? Said::complete : Said::more;
  }
};

int main() { return peer::judge<HttpParserOfNode>(); }
