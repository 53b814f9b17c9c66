#pragma once
// http-parser and llhttp hand out pieces of the head; to remember where they stand is the least
// that a user does.

#include "tests/bench/peers/peer.h"

struct Pieces {
  const char* target = nullptr;
  int count = 0;
  bool complete = false;

  template <typename Parser>
  static Pieces& of(Parser* parser) {
    return *static_cast<Pieces*>(parser->data);
  }
  template <typename Settings, typename Parser>
  static Settings settings() {
    Settings all{};
    all.on_url = [](Parser* parser, const char* at, std::size_t) {
      of(parser).target = at;
      return 0;
    };
    all.on_header_field = all.on_header_value = [](Parser* parser, const char*, std::size_t) {
      ++of(parser).count;
      return 0;
    };
    all.on_headers_complete = [](Parser* parser) {
      of(parser).complete = true;
      return 0;
    };
    return all;
  }
};
