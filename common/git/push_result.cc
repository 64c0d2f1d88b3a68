#include "common/git/push_result.h"

namespace gatehouse::git {

namespace {
constexpr char kErrorBand = 3;
constexpr size_t kMaxWordsBytes = 4096;
}  // namespace

Result<std::string> PushResult::feed(std::string_view bytes) {
  std::string out;
  lines_.feed(bytes);
  for (;;) {
    const auto pkt = lines_.next();
    if (!pkt) return failed(pkt);
    if (!*pkt) return out;
    const bool flush = (*pkt)->kind == Pkt::Kind::flush;
    if (!flush && (*pkt)->kind != Pkt::Kind::data) return fail("a mark that has no place in it");
    begun_ = true;
    over_ = flush;
    if (flush) {
      append_flush(out);
    } else {
      append_pkt(out, (*pkt)->payload);
    }
  }
}

std::string PushResult::broken_off(std::string_view words) const {
  std::string out;
  if (side_band_ && !over_) append_pkt(out, kErrorBand + std::string(words.substr(0, kMaxWordsBytes)));
  return out;
}

}  // namespace gatehouse::git
