// The first byte says which decompressor gets the rest, the second how it is cut. What comes out does not depend on the
// cuts (of brotli: as long as it is whole; its decoder notices corrupt data sooner or later), and never is more than is
// wanted.
#include <memory>

#include "common/codec/brotli.h"
#include "common/codec/inflate.h"
#include "common/codec/zstd.h"
#include "tests/fuzz/dlp_cuts.h"

using namespace gatehouse;
using namespace gatehouse::dlp;

namespace {

struct Bounded : ByteSink {
  bool write(std::string_view bytes) override {
    require(!bytes.empty() && bytes.size() <= kDecodedChunkBytes);
    require(text.size() < kFuzzOutputBytes);
    text += bytes;
    return text.size() < kFuzzOutputBytes;
  }
  std::string text;
};

std::unique_ptr<Codec> codec_of(uint8_t kind) {
  using Format = Inflate::Format;
  switch (kind % 7) {
    case 0:
      return std::make_unique<Inflate>(Format::gzip);
    case 1:
      return std::make_unique<Inflate>(Format::zlib);
    case 2:
      return std::make_unique<Inflate>(Format::raw);
    case 3:
      return std::make_unique<Inflate>(Format::deflate);
    case 4:
      return std::make_unique<Zstd>(kContentZstdWindowLog);
    case 5:
      return std::make_unique<Zstd>(kFileZstdWindowLog, Zstd::Frames::first);
    default:
      return std::make_unique<Brotli>();
  }
}

struct Outcome {
  std::string text;
  Codec::State state = Codec::State::more;
  bool complete = false;
  size_t used = 0;
};

Outcome decode(uint8_t kind, std::string_view bytes, size_t piece) {
  const auto codec = codec_of(kind);
  Bounded out;
  Outcome outcome;
  for (size_t at = 0; at < bytes.size() && outcome.state == Codec::State::more; at += piece) {
    const auto part = bytes.substr(at, piece);
    const auto step = codec->decode(part, out);
    require(step.used <= part.size());
    require(step.state != Codec::State::more || step.used == part.size());
    require((step.state == Codec::State::failed) == !codec->error().empty());
    outcome.state = step.state;
    outcome.used += step.used;
  }
  require(codec->frame_start() <= bytes.size());
  outcome.complete = codec->complete();
  outcome.text = std::move(out.text);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = decode(data[0], bytes, bytes.size() + 1);
  for (const size_t piece : {size_t{1}, size_t{data[1]} + 2}) {
    const Outcome cut = decode(data[0], bytes, piece);
    const bool brotli = data[0] % 7 == 6;
    if (brotli && !cut.complete && !whole.complete) continue;
    require(cut.state == whole.state);
    if (cut.state == Codec::State::stopped) continue;
    require(cut.text == whole.text && cut.complete == whole.complete);
    require(cut.state == Codec::State::failed || cut.used == whole.used);
  }
  return 0;
}
