// The first byte is the piece size and whether signed pushes are let, the rest what an upstream answers as its
// advertisement of receive-pack. However it is cut, the same passes; what passes is itself an advertisement, and passes
// unchanged.
#include <cstdlib>
#include <string>

#include "common/git/advertisement.h"

using namespace gatehouse::git;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Passed {
  std::string out;
  bool fine = true;
  bool complete = false;
};

Passed pass(std::string_view bytes, size_t piece, bool signatures) {
  AdvertisementFilter filter(signatures);
  Passed passed;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const auto out = filter.feed(bytes.substr(at, piece));
    if (!out) return {{}, false, false};
    passed.out += *out;
  }
  passed.complete = filter.complete();
  return passed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool signatures = data[0] >= 128;
  const auto whole = pass(bytes, bytes.size(), signatures);
  const auto cut = pass(bytes, 1 + data[0] % 64, signatures);
  require(whole.fine == cut.fine && whole.out == cut.out && whole.complete == cut.complete);
  if (!whole.complete) return 0;
  const auto again = pass(whole.out, 11, signatures);
  require(again.complete && again.out == whole.out);
  return 0;
}
