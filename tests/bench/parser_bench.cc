// Google Benchmark: how long parser, upper-casing and session take here. For comparisons on one
// machine, within one run; what is kept and checked are instruction counts (instructions.cc).

#include <benchmark/benchmark.h>
#include <http_parser.h>

#include "tests/bench/workloads.h"

namespace {

using namespace workload;
using benchmark::State;

void bytes(State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

void bm_parse(State& state, std::string_view head) {
  for (auto _ : state) parse(head);
  bytes(state, head.size());
}

void bm_byte_by_byte(State& state, std::string_view head) {
  for (auto _ : state) parse_byte_by_byte(head);
  bytes(state, head.size());
}

void bm_chunked(State& state) {
  const std::string body = chunked_body();
  for (auto _ : state) decode(body);
  bytes(state, body.size());
}

void bm_upper(State& state) {
  std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) upper(text);
  bytes(state, text.size());
}

void bm_session(State& state, std::size_t depth) {
  Conversation<HttpSession> conversation(repeat(kLeast, depth));
  for (auto _ : state) conversation();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(depth));
}

// The peer. It hands out pieces of the head; remembering where they stand is the least a user does.
struct Peer {
  std::string_view target;
  int fields = 0;

  static int on_target(http_parser* parser, const char* at, std::size_t size) {
    static_cast<Peer*>(parser->data)->target = {at, size};
    return 0;
  }
  static int on_piece(http_parser* parser, const char*, std::size_t) {
    ++static_cast<Peer*>(parser->data)->fields;
    return 0;
  }
};

void bm_http_parser(State& state, std::string_view head) {
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = Peer::on_target;
  settings.on_header_field = settings.on_header_value = Peer::on_piece;
  for (auto _ : state) {
    Peer peer;
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &peer;
    if (http_parser_execute(&parser, &settings, head.data(), head.size()) != head.size()) {
      state.SkipWithError("http-parser refuses this head");
    }
    use(peer);
  }
  bytes(state, head.size());
}

const std::string kLarge = large_head();

BENCHMARK_CAPTURE(bm_parse, 45, kLeast);
BENCHMARK_CAPTURE(bm_http_parser, 45, kLeast);
BENCHMARK_CAPTURE(bm_parse, 107_curl, kCurl);
BENCHMARK_CAPTURE(bm_http_parser, 107_curl, kCurl);
BENCHMARK_CAPTURE(bm_parse, 703_browser, kBrowser);
BENCHMARK_CAPTURE(bm_http_parser, 703_browser, kBrowser);
BENCHMARK_CAPTURE(bm_parse, 16k, kLarge);
BENCHMARK_CAPTURE(bm_http_parser, 16k, kLarge);
BENCHMARK_CAPTURE(bm_byte_by_byte, 107_curl, kCurl);
BENCHMARK(bm_chunked);
BENCHMARK(bm_upper)->Arg(64)->Arg(4096);
BENCHMARK_CAPTURE(bm_session, hello, 1);
BENCHMARK_CAPTURE(bm_session, hello_16_deep, 16);

}  // namespace

BENCHMARK_MAIN();
