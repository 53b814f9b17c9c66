// A whole HTTP conversation, cut at fuzzer-chosen places on the way in and on the way out.
//
//   - The bytes said do not depend on the cuts. (But for "100 Continue", which is said only if no
//     byte of the body has come: interim answers are taken out before the comparison.)
//   - Each answer is well-framed, and nothing follows "Connection: close".
//   - Memory stays under one head, one body, one answer and 256 KiB.
//   - The counters tell what happened.
//
// The first control letter says how the conversation goes: bits 0 and 1 how it ends (see End), bit
// 2 that a password is wanted, bit 3 that the bytes come 40 times, bit 4 that advance() is called
// while output waits, as stage 4 does. '@' has none of them, 'A' drains, and so on. The letters
// behind it are steps.

#include <sanitizer/allocator_interface.h>

#include <cctype>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/http_session.h"
#include "common/routes.h"
#include "common/socket.h"
#include "tests/fuzz/fuzz.h"

// The clock stands still, or Date would tick in the middle of a comparison (linked with
// --wrap=time).
// NOLINTNEXTLINE(bugprone-reserved-identifier): the linker's name
extern "C" std::time_t __wrap_time(std::time_t*) { return 1'000'000'000; }

namespace {

constexpr std::uint32_t kMaxBody = 4 * 1024;
constexpr std::size_t kMaxHead = HttpParser::kMaxTarget + 128 + HttpParser::kMaxFieldLines;
constexpr std::size_t kMaxAnswer = HttpParser::kMaxTarget + HttpParser::kMaxFieldLines + kMaxBody;
constexpr std::size_t kMemoryBound = kMaxHead + kMaxBody + kMaxAnswer + 256 * 1024;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kDate = "Date: Sun, 09 Sep 2001 01:46:40 GMT\r\n";

enum class End : std::uint8_t { eof, drain, expire, silence };

struct Plan {
  End end;
  bool eager;  // advance() is called while output waits
  Steps in;
  Steps out;
};

// A client and a stage in one: it feeds the session and takes what the session says.
class Conversation {
 public:
  Conversation(const App& app, Plan plan)
      : context_{app, stats_}, plan_(plan), out_(context_.pool) {
    base_ = __sanitizer_get_current_allocated_bytes();
    session_ = std::make_unique<HttpSession>(context_);
  }

  void run(std::string_view bytes) {
    const std::size_t total = bytes.size();
    while (!bytes.empty() && session_->phase() != Phase::over) {
      bytes.remove_prefix(read(bytes));
      advance(plan_.end == End::drain && bytes.empty());
    }
    require(stats_.bytes_in.get() == total - bytes.size(), "bytes_in");
    if (session_->phase() == Phase::open) finish();
    require(stats_.bytes_out.get() == said_.size(), "bytes_out");
    const bool over = session_->phase() != Phase::open;
    session_.reset();
    require(out_.empty(), "everything was said");
    require(plan_.end != End::eof || over, "it is over when the peer has ended");
  }

  const std::string& said() const { return said_; }
  std::uint64_t requests() const { return stats_.requests.get(); }

 private:
  std::size_t read(std::string_view bytes) {
    const std::size_t count = std::min({plan_.in.next(), kMostRead, bytes.size()});
    session_->feed(bytes.substr(0, count));
    check_memory();
    return count;
  }

  // What a stage does after it has read: nothing more is read until the client took everything.
  void advance(bool last) {
    session_->advance(out_, last);
    check_memory();
    while (!out_.empty()) {
      const std::size_t least = out_.size() / 256;  // a kernel that takes little, but not for ever
      const std::size_t count = std::min(std::max(plan_.out.next(), least), out_.size());
      said_.append(out_.view().substr(0, count));
      out_.consume(count);
      session_->sent(count, out_.empty());
      if (out_.empty() || plan_.eager) session_->advance(out_, last);
      check_memory();
    }
  }

  void finish() {
    if (plan_.end == End::eof) {
      session_->feed_eof();
      session_->received(0);
      advance(false);
    } else if (plan_.end == End::expire && session_->expire(out_)) {
      advance(false);
    }
  }

  void check_memory() const {
    const std::size_t now = __sanitizer_get_current_allocated_bytes();
    require(now <= base_ + said_.capacity() + kMemoryBound, "memory stays under the bound");
  }

  Stats stats_;
  Context context_;
  Plan plan_;
  Buffer out_;
  std::string said_;
  std::size_t base_ = 0;
  std::unique_ptr<HttpSession> session_;
};

struct Answer {
  int status = 0;
  std::size_t head = 0;
  std::size_t length = 0;
  bool close = false;
};

// One field line of an answer, counted into what an answer has to have.
bool read_field(std::string_view line, Answer& answer, int& lengths) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || colon == 0) return false;
  if (find_control_plainly(line, 0) != line.size()) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = line.substr(colon + 2);
  if (name == "Connection") {
    answer.close = value == "close";
    return answer.close || value == "keep-alive";
  }
  if (name == "Content-Length") {
    ++lengths;
    if (value.empty() || value.size() > 9) return false;
    for (const char c : value) {
      if (c < '0' || c > '9') return false;
      answer.length = answer.length * 10 + static_cast<std::size_t>(c - '0');
    }
    return true;
  }
  return name == "Content-Type" || name == "Allow" || name == "WWW-Authenticate";
}

// The head of the answer that starts at `text`, if it is one.
std::optional<Answer> read_head(std::string_view text) {
  Answer answer;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || !text.starts_with("HTTP/1.1 ")) return std::nullopt;
  answer.head = end + 4;
  const std::string_view head = text.substr(0, end + 2);
  for (const char c : head.substr(9, 3)) {
    if (c < '0' || c > '9') return std::nullopt;
    answer.status = answer.status * 10 + (c - '0');
  }
  std::size_t at = head.find("\r\n") + 2;
  if (at < 15 || !head.substr(at).starts_with(kDate)) return std::nullopt;
  int lengths = 0;
  for (at += kDate.size(); at < head.size();) {
    const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
    if (!read_field(line, answer, lengths)) return std::nullopt;
    at += line.size() + 2;
  }
  if (lengths != (answer.status == 204 ? 0 : 1)) return std::nullopt;
  const std::set<int> closing = {408, 413, 414, 431, 505};
  if (closing.contains(answer.status) && !answer.close) return std::nullopt;
  return answer;
}

// Can `text` be read as `count` answers and nothing else? An answer to HEAD has no body, whatever
// its length says; where a HEAD was sent both ways of reading are tried.
bool well_framed(std::string_view text, std::uint64_t count, bool head_was_sent) {
  std::set<std::pair<std::size_t, std::uint64_t>> open = {{0, 0}};
  while (!open.empty()) {
    const auto [at, answers] = *open.begin();
    open.erase(open.begin());
    const std::string_view rest = text.substr(at);
    if (rest.empty() && answers == count) return true;
    if (rest.starts_with(kContinue)) {
      open.emplace(at + kContinue.size(), answers);
      continue;
    }
    const std::optional<Answer> answer = read_head(rest);
    if (!answer) continue;
    for (const std::size_t body : {answer->length, std::size_t{0}}) {
      const std::size_t size = answer->head + body;
      if (body != answer->length && !head_was_sent) continue;
      if (size > rest.size() || (answer->close && size != rest.size())) continue;
      open.emplace(at + size, answers + 1);
    }
  }
  return false;
}

std::string without_interim(std::string_view said) {
  std::string rest;
  while (true) {
    const std::size_t at = said.find(kContinue);
    rest.append(said.substr(0, at));
    if (at == std::string_view::npos) return rest;
    said.remove_prefix(at + kContinue.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input(data, size);
  const unsigned flags = input.controls.empty() ? 0 : static_cast<unsigned char>(input.controls[0]);
  const std::string_view steps = input.controls.substr(input.controls.empty() ? 0 : 1);
  const End end{static_cast<std::uint8_t>(flags & 3)};

  App app;
  app.stage = "stage";
  app.page.assign(2048, 'p');
  app.max_body = kMaxBody;
  if ((flags & 4) != 0) app.credentials = base64("user:password");
  std::string bytes(input.bytes);
  if ((flags & 8) != 0) {
    for (int i = 1; i < 40; ++i) bytes.append(input.bytes);
  }
  const bool head_was_sent = bytes.find("HEAD ") != std::string::npos;

  const auto converse = [&](Plan plan) {
    app.started = Clock::now();  // "uptime_seconds":0
    Conversation conversation(app, plan);
    conversation.run(bytes);
    require(well_framed(conversation.said(), conversation.requests(), head_was_sent),
            "answers as many as requests, well-framed");
    return without_interim(conversation.said());
  };
  const std::string whole = converse({end, false, Steps(""), Steps("")});
  // An empty line, or half of one, behind the last request of a drain changes nothing, unless a cut
  // parts the two: the request does not look like the last one then. Stages read all there is, so
  // it is left out.
  for (const std::string_view line : {"\r\n", "\r"}) {
    if (end != End::drain || !bytes.ends_with(line)) continue;
    bytes.resize(bytes.size() - line.size());
    if (converse({end, false, Steps(""), Steps("")}) == whole) break;
    bytes.append(line);
  }
  require(whole == converse({end, false, finest(bytes.size()), Steps("")}),
          "byte by byte: the same");
  require(whole == converse({end, (flags & 16) != 0, Steps(steps), Steps(steps)}),
          "in pieces: the same");
  return 0;
}
