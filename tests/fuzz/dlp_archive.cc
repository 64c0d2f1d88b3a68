// The first byte says whether the rest is a zip entry or a tar archive and whether it was declared, the second how it
// is cut.
#include "dlp/decode/tar.h"
#include "dlp/decode/zip.h"
#include "tests/fuzz/dlp_cuts.h"

using namespace gatehouse::dlp;

namespace {
constexpr char kZstdMethod = 93;  // APPNOTE.TXT section 4.4.5
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const bool zip = (data[0] & 1) != 0;
  const auto trust = (data[0] & 2) != 0 ? Trust::declared : Trust::guessed;
  const auto decode = [&](DecoderHost& host, const auto& next) {
    std::unique_ptr<Follower> follower;
    if (zip) {
      follower = std::make_unique<ZipEntry>(host, "zip", 0, trust);
    } else {
      follower = std::make_unique<TarArchive>(host, "tar", 0, trust);
    }
    for (auto part = next(); !part.empty(); part = next()) {
      require(follower->span().bytes > 0);
      if (!follower->feed(part)) return;
    }
    follower->finish();
  };
  // A zstd frame that holds more than its header says is given up with more or less of it put out, as its bytes come.
  constexpr size_t kMethodOffset = 8;
  if (zip && bytes.size() > kMethodOffset && bytes[kMethodOffset] == kZstdMethod) {
    for (const size_t piece : {bytes.size() + 1, size_t{1}, size_t{data[1]} + 2}) {
      RecordedHost cut(kFuzzOutputBytes);
      decode_in_pieces(cut, bytes, piece, decode);
    }
    return 0;
  }
  require_the_same_of_all_cuts(bytes, data[1], decode);
  return 0;
}
