// The first byte says how long the pieces are in which the rest, a layer, comes. However it is cut, the same phrases
// are found; each has its words at the place it says, and so many of them. What validators make of it is not asked for
// more than that they stay within it.
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <tuple>

#include "dlp/seed_phrase_reader.h"
#include "dlp/validator.h"

namespace {

using namespace gatehouse::dlp;

constexpr size_t kShortestPhrase = 47;

void require(bool holds) {
  if (!holds) std::abort();
}

using Found = std::tuple<uint64_t, uint64_t, Confidence>;

std::vector<Found> read(std::string_view text, size_t piece) {
  std::vector<Found> found;
  SeedPhraseReader reader;
  const OnMatch note = [&](const Match& match) {
    require(match.end <= text.size() && match.end - match.begin >= kShortestPhrase);
    require(match.secret == text.substr(match.begin, match.end - match.begin));
    found.emplace_back(match.begin, match.end, match.confidence);
  };
  for (size_t at = 0; at < text.size(); at += piece) reader.write(text.substr(at, piece), note);
  reader.end(note);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(read(text, size_t{data[0]} + 1) == read(text, std::max<size_t>(text.size(), 1)));
  for (const auto name : validator_names()) find_validator(name)(text);
  return 0;
}
