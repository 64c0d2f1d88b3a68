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
    Mask ends;
    runs_.find(now, ends);
    for (size_t i = 0; i < ends.word_count(); ++i) {
      uint64_t here = ends.words[i];
      while (here != 0) {
        const auto first = static_cast<size_t>(std::countr_zero(here));
        const auto behind = first + static_cast<size_t>(std::countr_one(here >> first));
        const uint64_t word = position_ + i * 64;
        // A shorter run begins a little behind it.
        const uint64_t begin = std::max(word + first, piece_ + kMinTextRunBytes) - kMinTextRunBytes;
        if (begin > text_end_) {
          give(known, now, text_end_);
          skip(begin);
        }
        text_end_ = word + behind - 1 + kTextMarginBytes;
        here = behind < 64 ? here & ~uint64_t{0} << behind : 0;
      }
    }
    give(known, now, std::min(text_end_, position_ + now.size()));
    position_ += now.size();
  }
}

// What lies before `end` and was not given yet; `known` are the bytes in front of position_, `now` those behind it.
void TextDecoders::give(std::string_view known, std::string_view now, uint64_t end) {
  if (given_ < position_ && given_ < end) {
    const uint64_t to = std::min(end, position_);
    give(known.substr(known.size() - (position_ - given_), to - given_));
  }
  if (given_ < end) give(now.substr(given_ - position_, end - given_));
}

void TextDecoders::give(std::string_view bytes) {
  for (auto& decoder : decoders_) decoder->write(bytes);
  given_ += bytes.size();
}

// Up to `begin` there is noise.
void TextDecoders::skip(uint64_t begin) {
  for (auto& decoder : decoders_) decoder->skip(begin - given_);
  given_ = begin;
}

void TextDecoders::boundary() {
  if (given_ < position_) {
    if (position_ - given_ > kMinTextRunBytes) skip(position_ - kMinTextRunBytes);
    const std::string_view known(runs_.before(), TextRunFinder::kBeforeBytes);
    give(known.substr(known.size() - (position_ - given_)));
  }
  for (auto& decoder : decoders_) decoder->boundary();
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
}

}  // namespace gatehouse::dlp
