// The input is what a hostile gate sends to the scanner. However it is cut into pieces, the same is answered and the
// connection is given up for the same reason; every answer is one that a gate can read; no question goes unanswered.
#include "dlp/session.h"

#include <cstdlib>

#include "dlp/test_scan.h"

using namespace gatehouse;
using namespace gatehouse::dlp;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const OpenScan kOpenScan = [](const StreamInfo& stream) { return std::make_unique<LetterScan>(stream); };

struct Story {
  std::string answers;
  std::string broken;  // why, or empty
};

Story talk(std::string_view stream, size_t piece) {
  Session session(kOpenScan, kJudgeBySeverity);
  Story story;
  for (size_t at = 0; at < stream.size() && story.broken.empty(); at += piece) {
    std::string_view arrived = stream.substr(at, piece);
    while (!arrived.empty() && story.broken.empty()) {
      const auto taken = session.advance(arrived);
      require(!taken || (*taken > 0 && *taken <= arrived.size()));
      if (taken) {
        arrived.remove_prefix(*taken);
      } else {
        story.broken = taken.error().message();
        require(!story.broken.empty());
      }
      story.answers += session.take_output();
    }
  }
  return story;
}

void check_answers(std::string_view answers) {
  ipc::FrameReader reader(kMaxFrameBytes);
  reader.feed(answers);
  for (bool first = true;; first = false) {
    const auto frame = reader.next_view();
    require(frame.has_value());
    if (!*frame) break;
    require((*frame)->type == static_cast<uint8_t>(first ? FrameType::hello : FrameType::verdict));
    require(first ? decode_hello((*frame)->payload).has_value() : decode_verdict((*frame)->payload).has_value());
  }
  require(reader.at_boundary());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Story whole = talk(stream, stream.size() + 1);
  const Story pieces = talk(stream, 1 + data[0]);
  require(whole.answers == pieces.answers && whole.broken == pieces.broken);
  check_answers(whole.answers);
  return 0;
}
