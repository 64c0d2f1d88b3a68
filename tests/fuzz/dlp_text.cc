// The decoders of text. The first byte says which, the second how its input is cut.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dlp/decode/alphabets.h"
#include "dlp/decode/codes.h"
#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/joined_strings.h"
#include "dlp/decode/listed_strings.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/separated.h"
#include "dlp/decode/unicode.h"
#include "dlp/decode/wide_text.h"
#include "tests/fuzz/dlp_cuts.h"

using namespace gatehouse::dlp;

namespace {

template <class One>
std::unique_ptr<Decoder> make(DecoderHost& host) {
  return std::make_unique<One>(host);
}

using Make = std::unique_ptr<Decoder> (*)(DecoderHost&);
constexpr Make kDecoders[] = {make<AlphabetDecoder>,     make<PercentDecoder>,       make<BackslashDecoder>,
                              make<EntityDecoder>,       make<WideTextDecoder>,      make<UnicodeDecoder>,
                              make<CodesDecoder>,        make<JoinedStringsDecoder>, make<SeparatedDecoder>,
                              make<ListedStringsDecoder>};

// The pieces that came out, in an order of their own and without the numbers of their layers: which of several
// alignments is told first, and in which of the layers for it, is of no matter.
std::vector<std::string> pieces(const RecordedHost& host) {
  constexpr std::string_view kEnd = "ended\n";
  std::vector<std::string> pieces;
  const std::string story = host.story();
  for (size_t at = 0; at < story.size();) {
    const size_t end = std::min(story.find(kEnd, at), story.size() - kEnd.size()) + kEnd.size();
    std::string piece = story.substr(at, end - at);
    const size_t origin = piece.find('@');
    if (const size_t number = piece.find('#'); number < origin) piece.erase(number, origin - number);
    pieces.push_back(std::move(piece));
    at = end;
  }
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto decode = [&](DecoderHost& host, const auto& next) {
    const auto decoder = kDecoders[data[0] % std::size(kDecoders)](host);
    for (auto part = next(); !part.empty(); part = next()) decoder->write(part);
    decoder->end();
  };
  RecordedHost whole(kFuzzOutputBytes);
  decode_in_pieces(whole, bytes, bytes.size() + 1, decode);
  for (const size_t piece : {size_t{1}, size_t{data[1]} + 2}) {
    RecordedHost cut(kFuzzOutputBytes);
    decode_in_pieces(cut, bytes, piece, decode);
    require(pieces(cut) == pieces(whole));
  }
  return 0;
}
