// What is on record of common/. Under callgrind; alone it does nothing worth seeing.

#include "tests/bench/counted.h"
#include "tests/bench/workloads.h"

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
