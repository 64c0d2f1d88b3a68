#include "dlp/decode/text_decoders.h"

#include <algorithm>
#include <array>
#include <bit>

namespace gatehouse::dlp {

void TextDecoders::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view now = bytes.substr(0, kMaskedBytes);
    bytes.remove_prefix(now.size());
    // The bytes before, which a run may have begun in.
    std::array<char, TextRunFinder::kBeforeBytes> before;
    if (text_end_ < position_) std::copy_n(runs_.before(), before.size(), before.begin());
    const std::string_view known(before.data(), before.size());
    Part part{known, now, {}};
    Mask ends;
    runs_.find(now, part.block, ends);
    for (size_t i = 0; i < ends.word_count(); ++i) {
      uint64_t here = ends.words[i];
      if (here == ~uint64_t{0} && text_end_ >= position_ + i * 64) {
        text_end_ = position_ + i * 64 + 63 + kTextMarginBytes;
        continue;
      }
      while (here != 0) {
        const auto first = static_cast<size_t>(std::countr_zero(here));
        const auto behind = first + static_cast<size_t>(std::countr_one(here >> first));
        const uint64_t word = position_ + i * 64;
        // A shorter run begins a little behind it.
        const uint64_t begin = std::max(word + first, piece_ + kMinTextRunBytes) - kMinTextRunBytes;
        if (begin > text_end_) {
          give(part, text_end_);
          skip(begin);
        }
        text_end_ = word + behind - 1 + kTextMarginBytes;
        here = behind < 64 ? here & ~uint64_t{0} << behind : 0;
      }
    }
    give(part, std::min(text_end_, position_ + now.size()));
    position_ += now.size();
  }
}

// What lies before `end` and was not given yet.
void TextDecoders::give(Part& part, uint64_t end) {
  if (given_ < position_ && given_ < end) {
    const uint64_t to = std::min(end, position_);
    give(part.known.substr(part.known.size() - (position_ - given_), to - given_));
  }
  if (given_ >= end) return;
  const std::string_view bytes = part.now.substr(given_ - position_, end - given_);
  if (bytes.size() < part.now.size() || (holding_ && bytes.size() + held_size_ <= held_.size())) return give(bytes);
  give_held(true);
  give(part.block ? *part.block : part.block.emplace(part.now));
}

void TextDecoders::give(std::string_view bytes) {
  if (holding_ && held_size_ + bytes.size() <= held_.size()) {
    std::copy(bytes.begin(), bytes.end(), held_.begin() + static_cast<ptrdiff_t>(held_size_));
    held_size_ += bytes.size();
    given_ += bytes.size();
    return;
  }
  give_held(true);
  if (!bytes.empty()) give(TextBlock(bytes));
}

void TextDecoders::give(const TextBlock& block) {
  for (size_t i = 0; i < decoders_.size(); ++i) give_to(i, block);
  given_ += block.bytes().size();
}

// To those that want it, or to all since more may follow.
void TextDecoders::give_held(bool all) {
  holding_ &= !all;
  if (held_size_ == 0) return;
  const TextBlock block({held_.data(), held_size_});
  for (size_t i = 0; i < decoders_.size(); ++i) {
    if (all || decoders_[i]->wants(block)) {
      give_to(i, block);
    } else {
      states_[i].skipped += held_size_;
    }
  }
  held_size_ = 0;
}

void TextDecoders::give_to(size_t decoder, const TextBlock& block) {
  State& state = states_[decoder];
  if (state.skipped > 0) decoders_[decoder]->skip(state.skipped);
  state = {true, 0};
  decoders_[decoder]->take(block);
}

// Up to `begin` there is noise.
void TextDecoders::skip(uint64_t begin) {
  give_held(false);
  for (size_t i = 0; i < decoders_.size(); ++i) {
    states_[i].skipped += begin - given_;
    if (!states_[i].in_text) continue;
    // What it still waits for cannot come any more.
    decoders_[i]->skip(states_[i].skipped);
    states_[i] = {};
  }
  given_ = begin;
  holding_ = true;
}

void TextDecoders::check() {
  give_held(true);
  for (auto& decoder : decoders_) decoder->check();
}

void TextDecoders::boundary() {
  if (given_ < position_) {
    if (position_ - given_ > kMinTextRunBytes) skip(position_ - kMinTextRunBytes);
    const std::string_view known(runs_.before(), TextRunFinder::kBeforeBytes);
    give(known.substr(known.size() - (position_ - given_)));
  }
  give_held(false);
  for (size_t i = 0; i < decoders_.size(); ++i) {
    if (states_[i].skipped > 0) decoders_[i]->skip(states_[i].skipped);
    states_[i] = {};
    decoders_[i]->boundary();
  }
  restart();
}

void TextDecoders::end() {
  boundary();
  for (auto& decoder : decoders_) decoder->end();
  position_ = given_ = 0;
  restart();
}

void TextDecoders::restart() {
  runs_.restart();
  piece_ = position_;
  text_end_ = position_ + kTextMarginBytes;
  holding_ = true;
}

}  // namespace gatehouse::dlp
