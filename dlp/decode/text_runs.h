// Where in a layer's bytes there is text: ASCII, or characters above it in UTF-8. What finds out at once, for all
// decoders of text, that noise holds nothing for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dlp/decode/text_block.h"

namespace gatehouse::dlp {

// Text has so many bytes in a row of printable ASCII, white space, NUL, or characters of UTF-8 (their form alone is
// looked at). Shorter runs hold nothing for a decoder of text: alphabets, separators and numbers begin at sixteen
// bytes, look-alikes are believed next to twelve.
inline constexpr size_t kMinTextRunBytes = 14;
// But for escapes: the shortest secrets that are known have six bytes (kMinSecretBytes), and with one of them escaped
// seven at the least. With '\\', '%', '&', '=' or two quotes in them, so many in a row are text.
inline constexpr size_t kMinEscapedRunBytes = 7;
// So many bytes behind such a run are still given to the decoders: letters of an older encoding stand between words.
inline constexpr size_t kTextMarginBytes = 24;

// Where runs end: bit i % 64 of word i / 64 is set if the kMinTextRunBytes before byte i are text, or as many as
// kMinEscapedRunBytes are. (A byte's being text may be known by the next one only.)
class TextRunFinder {
 public:
  // In up to kMaskedBytes; bits behind their end are 0. Makes the block of them if it needs it, or is likely to be
  // asked for it.
  void find(std::string_view bytes, std::optional<TextBlock>& block, Mask& ends);
  // Nothing spans it.
  void restart();

  // The last kBeforeBytes of what was given, behind filling if they were fewer.
  static constexpr size_t kBeforeBytes = 64;
  const char* before() const { return before_.data(); }

 private:
  void find_in(const TextBlock& block, Mask& ends) const;
  void remember(std::string_view bytes);

  bool text_before_ = false;  // the last bytes were nothing else
  std::array<char, kBeforeBytes> before_ = filling();
  static std::array<char, kBeforeBytes> filling();
};

}  // namespace gatehouse::dlp
