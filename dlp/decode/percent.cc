#include "dlp/decode/percent.h"

#include "dlp/decode/hex.h"

namespace gatehouse::dlp {

EscapeKind PercentDecoder::read(std::string_view text, uint64_t /*position*/, bool nothing_more, Escape& escape) const {
  const bool wide = text.size() > 1 && (text[1] == 'u' || text[1] == 'U');
  uint32_t value = 0;
  const size_t end = wide ? 6 : 3;
  for (size_t i = wide ? 2 : 1; i < end; ++i) {
    if (i == text.size()) return nothing_more ? EscapeKind::none : EscapeKind::cut;
    if (!kHexClass.holds(text[i])) return EscapeKind::none;
    value = value << 4 | hex_value(text[i]);
  }
  escape.used = end;
  if (wide) {
    escape.add_character(value);
  } else {
    escape.add(static_cast<char>(value));
  }
  return EscapeKind::complete;
}

}  // namespace gatehouse::dlp
