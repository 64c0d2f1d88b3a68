// Finds the words that a wallet was written down in (BIP 39): 12 or more words of the English list, one after the
// other, all apart in the same manner: by spaces, commas, quotes, line breaks or numbers.
//
// Nearly all that is read is something else, so it looks at one byte in kStride only. The shortest phrase is longer, so
// one of those bytes is inside; from a byte that belongs to a word of the list it goes back to where the words began
// and on to where they end. All it holds of what it has read is the last kLookBack bytes, and the words themselves
// while they last.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "dlp/layer_reader.h"
#include "dlp/rule.h"

namespace gatehouse::dlp {

// "seed-phrase", credentials. Confirmed by the checksum that 12, 15, 18, 21 or 24 of the words hold: blocked. Otherwise
// redacted: other wallets (Electrum) use the same words with checksums of their own.
const Rule& seed_phrase_rule();

class SeedPhraseReader : public LayerReader {
 public:
  void write(std::string_view bytes, const OnMatch& on_match) override;
  void boundary(const OnMatch& on_match) override;
  void end(const OnMatch& on_match) override;

 private:
  // A phrase has at least 12 words of 3 letters and 11 separators: the 16 bytes at some 32nd are all of it.
  static constexpr size_t kStride = 32;
  static constexpr size_t kLookBack = 64;   // a stride, and a word
  static constexpr size_t kLookAhead = 32;  // separators, and a word with what ends it
  static constexpr size_t kMaxWords = 64;   // what goes on longer is reported in pieces
  struct Word {
    uint16_t index = 0;
    uint32_t begin = 0;  // in text_
    uint32_t end = 0;
  };

  void scan(std::string_view view, uint64_t base, bool is_end, const OnMatch& on_match);
  bool probe(std::string_view view, size_t at);
  void follow(std::string_view view, uint64_t base, const OnMatch& on_match);
  bool take(char c);
  bool take_word();
  void report(const OnMatch& on_match);
  void report(size_t first, size_t last, const OnMatch& on_match);
  std::string manner_after(size_t word) const;
  void stop_following();
  void finish_piece(const OnMatch& on_match);

  uint64_t position_ = 0;                                   // of the next byte written, since the last end
  uint64_t cursor_ = 0;                                     // of the next byte to look at
  std::array<char, 2 * (kLookBack + kLookAhead)> joint_{};  // the bytes before position_, then room for what comes
  size_t kept_ = 0;                                         // of them

  // The words being read, from a probe that met one on.
  bool following_ = false;
  uint64_t begin_ = 0;  // of text_
  std::string text_;
  std::vector<Word> words_;
  uint64_t word_ = 0;  // the letters of the unfinished one
  size_t letters_ = 0;
  size_t separators_ = 0;  // since the last word
};

// One a thread, like every source; opens a reader for what goes out.
class SeedPhraseSource : public ReaderSource {
 public:
  std::vector<std::unique_ptr<LayerReader>> open(const StreamInfo& stream) override;
};

}  // namespace gatehouse::dlp
