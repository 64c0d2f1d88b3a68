// Text with the same separator put in after every so many characters: g.h.p._.A.A, ghp_-AAAA-AAAA, one character a
// line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/stretches.h"
#include "dlp/decode/text_decoder.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxGroupBytes = 16;     // between two separators
inline constexpr size_t kMaxSeparatorBytes = 8;  // ["a",LF and four blanks "b"]
// So many equal groups in a row are no part of a secret, nor are those that a text begins with: what one letter
// repeated decodes to would be joined and decoded over and over.
inline constexpr size_t kMaxEqualGroups = 256;

// Groups of four or five letters with commas between, of which so many in a row have an 'A' in second place, are the
// mappings of a JavaScript source map ("IAAI,GAAG,MAAM"): the file that a place is in seldom changes. Behind the
// beginning of what was taken for a secret, it takes more of them.
inline constexpr size_t kMinMappings = 4;
inline constexpr size_t kMaxMappings = 8;

// Into the layer "separated": the separators are nothing. Stretches of digits alone are passed on only if they are as
// short as a card's number, hex digits if there are more than a UUID has: tables are full of them.
class SeparatedDecoder final : public TextDecoder {
 public:
  explicit SeparatedDecoder(DecoderHost& host) : stretches_(host, "separated", kContextBytes) {}

  void take(const TextBlock& block) override;
  bool wants(const TextBlock& block) const override;
  void skip(uint64_t bytes) override;
  void boundary() override;
  void end() override;

 private:
  static constexpr size_t kContextBytes = 64;
  // What is looked at last are four words.
  static constexpr size_t kWordsBefore = 3;

  // What is among the characters between the separators, as bits.
  enum Kinds : unsigned {
    kDigits = 1,
    kHexLetters = 2,
    kLetters = 4,   // others
    kCapitals = 8,  // but a group's first
    kSigns = 16,    // that prose does not have
    kNoGroup = 32,  // no character of a group
  };
  static const std::array<uint8_t, 256> kKindsOf;  // a character that is not a group's first

  // Where the separators stand: `size` bytes every `period`.
  struct Grid {
    size_t period = 0;  // 0: no grid
    size_t size = 0;
    std::array<char, kMaxSeparatorBytes> separator;
    uint64_t next = 0;   // separator
    uint64_t first = 0;  // of those not yet passed on
    size_t count = 0;    // of them
    bool led = false;    // the first group follows a separator and a part of a group, which is not counted
    unsigned kinds = 0;
    size_t equal = kMaxEqualGroups;  // groups in a row, up to the last one
    uint8_t mappings = 0;            // in a row, up to kMaxMappings
    uint8_t changes = 0;             // of the last groups, as bits: those that differed from the one before
    bool table = false;              // there are too many digits
    bool accepted = false;           // it is long enough
    size_t group() const { return period - size; }
  };

  void scan(const TextBlock& block);
  bool lay_grid(uint64_t word, size_t period);
  bool begins_escape(uint64_t word, const Grid& grid) const;
  void follow_grid(bool nothing_more);
  void count_separator(bool equal);
  bool equal_groups(uint64_t group, size_t bytes);
  void count_mapping(uint64_t group, size_t bytes);
  bool has_mappings() const;
  void pass_on();
  void finish_grid(uint64_t end);
  size_t least_bytes() const;
  bool is_separator(uint64_t position) const;
  // Of the group at `position`, how many characters may be of a secret; notes of which kinds they are.
  size_t group_bytes(uint64_t position);

  Stretches stretches_;
  uint64_t end_ = 0;    // of what has been given
  uint64_t free_ = 0;   // no grid reaches before: behind the last one
  uint64_t tried_ = 0;  // no grid is laid from words before
  Grid grid_;
  bool in_word_ = false;
  std::array<uint64_t, kWordsBefore> words_{};  // where the last words began
};

}  // namespace gatehouse::dlp
