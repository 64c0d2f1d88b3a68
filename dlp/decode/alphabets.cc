#include "dlp/decode/alphabets.h"

#include <algorithm>

namespace gatehouse::dlp {

AlphabetDecoder::AlphabetDecoder(DecoderHost& host)
    : host_(host), base64_(host), smaller_(host), mixed_(host), base64_runs_(kBase64Class, *this) {}

void AlphabetDecoder::take(const TextBlock& block) {
  base64_runs_.take(block.bytes(), position_, block[Sign::base64]);
  position_ += block.bytes().size();
}

bool AlphabetDecoder::wants(const TextBlock& block) const { return holds_run(block[Sign::base64]); }

void AlphabetDecoder::skip(uint64_t bytes) {
  base64_runs_.boundary();
  position_ += bytes;
}

void AlphabetDecoder::boundary() {
  base64_runs_.boundary();
  base64_.boundary();
  smaller_.boundary();
  mixed_.boundary();
}

void AlphabetDecoder::end() {
  boundary();
  position_ = 0;
}

void AlphabetDecoder::begin(uint64_t /*origin*/) {
  holding_ = true;
  held_size_ = line_count_ = 0;
}

void AlphabetDecoder::chars(std::string_view chars, uint64_t origin) {
  if (holding_ && held_size_ + chars.size() <= held_.size() && line_count_ < lines_.size()) {
    std::copy(chars.begin(), chars.end(), held_.begin() + static_cast<ptrdiff_t>(held_size_));
    held_size_ += chars.size();
    lines_[line_count_++] = {chars.size(), origin};
    return;
  }
  if (holding_) {
    holding_ = false;
    if (line_count_ == 0) lines_[0].origin = origin;
    give_held(base64_);
    give_held(smaller_);
    give_held(mixed_);
  }
  base64_.chars(chars, origin);
  smaller_.chars(chars, origin);
  mixed_.chars(chars, origin);
}

void AlphabetDecoder::give_held(RunSink& sink) {
  sink.begin(lines_[0].origin);
  std::string_view rest(held_.data(), held_size_);
  for (size_t i = 0; i < line_count_; ++i) {
    sink.chars(rest.substr(0, lines_[i].size), lines_[i].origin);
    rest.remove_prefix(lines_[i].size);
  }
}

void AlphabetDecoder::over() {
  if (!holding_) {
    base64_.over();
    smaller_.over();
    mixed_.over();
    return;
  }
  holding_ = false;
  const uint64_t origin = lines_[0].origin;
  const uint64_t end = lines_[line_count_ - 1].origin + lines_[line_count_ - 1].size;
  // In front of a run that was merely copied there may be other letters below, but few: it is decoded shifted there.
  if (host_.redundant("base64", origin, end)) return;
  base64_.read_short({held_.data(), held_size_}, origin, end);
  if (held_size_ >= kMinMixedBytes) {
    give_held(mixed_);
    mixed_.over();
  }
  if (!holds_smaller_run({held_.data(), held_size_})) return;
  give_held(smaller_);
  smaller_.over();
}

}  // namespace gatehouse::dlp
