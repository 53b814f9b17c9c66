// Under callgrind: runs each workload and has its cost dumped under the workload's name.
// tests/bench/instructions.py reads the dumps. Alone it does nothing worth seeing.

#include <valgrind/callgrind.h>

#include <ctime>

#include "tests/bench/workloads.h"

// The clock stands still: a Date that is formatted anew in the middle would be counted.
extern "C" std::time_t time(std::time_t*) noexcept { return 1'000'000'000; }

namespace {

constexpr int kRuns = 100;

// Two dumps, of 100 and of 200 runs: what they differ by has no set-up in it. A first run pays for
// what is allocated or resolved once.
template <typename Work>
void count(const char* name, Work&& work) {
  work();
  for (const int runs : {kRuns, 2 * kRuns}) {
    CALLGRIND_ZERO_STATS;
    for (int i = 0; i < runs; ++i) work();
    CALLGRIND_DUMP_STATS_AT(name);
  }
}

}  // namespace

int main() {
  using namespace workload;
  const std::string large = large_head(), chunks = chunked_body();
  count("head_45", [] { parse(kLeast); });
  count("head_107_curl", [] { parse(kCurl); });
  count("head_703_browser", [] { parse(kBrowser); });
  count("head_16k", [&] { parse(large); });
  count("head_107_byte_by_byte", [] { parse_byte_by_byte(kCurl); });
  count("chunked_16x64", [&] { decode(chunks); });
  std::string text(4096, 'x');
  count("upper_4096", [&] { upper(text); });
  count("session_hello", Conversation<HttpSession>(std::string(kLeast)));
  count("session_hello_16_deep", Conversation<HttpSession>(repeat(kLeast, 16)));
  count("session_post_upper",
        Conversation<HttpSession>("POST /upper HTTP/1.1\r\nHost: a\r\nContent-Length: 64\r\n\r\n" +
                                  std::string(64, 'x')));
  count("session_post_chunked",
        Conversation<HttpSession>(
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks));
  count("session_404", Conversation<HttpSession>("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"));
  count("session_text_4096", Conversation<TextSession>(text));
}
