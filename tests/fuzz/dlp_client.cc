// The input is what a hostile scanner sends to a gate that has asked for one verdict. However it is cut into pieces,
// the same comes of it; a verdict that is taken means what it says, and survives being written and read once more.
#include <cstdlib>

#include "common/dlp/client.h"
#include "common/dlp/protocol.h"

using namespace gatehouse;
using namespace gatehouse::dlp;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Story {
  std::optional<ScanVerdict> verdict;
  bool broken = false;
};

Story listen(std::string_view stream, size_t piece) {
  AnswerReader reader;
  reader.expect();
  Story story;
  for (size_t at = 0; at < stream.size() && !story.broken; at += piece) {
    auto read = reader.receive(stream.substr(at, piece));
    story.broken = !read;
    if (!read || !*read) continue;
    require(!story.verdict && !reader.expecting());
    story.verdict = std::move(**read);
  }
  return story;
}

std::string written(const ScanVerdict& verdict) {
  std::string out;
  append_verdict(out, verdict);
  return out;
}

void check(const ScanVerdict& verdict) {
  require(verdict.findings.size() <= kMaxFindings && verdict.redactions.size() <= kMaxRedactions);
  for (const Finding& finding : verdict.findings) {
    require(verdict.outcome != ScanVerdict::Outcome::allow || finding.action <= FindingAction::warn);
    for (const char c : describe(finding)) require(c >= ' ' && c <= '~');
  }
  require((verdict.outcome == ScanVerdict::Outcome::redact) == !verdict.redactions.empty());
  const std::string once = written(verdict);
  const auto again = decode_verdict(std::string_view(once).substr(ipc::kFrameHeaderBytes));
  require(again.has_value() && written(*again) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Story whole = listen(stream, stream.size() + 1);
  const Story pieces = listen(stream, 1 + data[0]);
  require(whole.broken == pieces.broken);
  // A verdict before a breach in the same piece is lost with the connection.
  if (whole.broken) return 0;
  require(whole.verdict.has_value() == pieces.verdict.has_value());
  if (!whole.verdict) return 0;
  require(written(*whole.verdict) == written(*pieces.verdict));
  check(*whole.verdict);
  return 0;
}
