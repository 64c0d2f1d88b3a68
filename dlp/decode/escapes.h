// What a backslash begins in JSON (RFC 8259 section 7), in scripts and in shells.
#pragma once

#include "dlp/decode/escape_decoder.h"

namespace gatehouse::dlp {

// Into the layer "json": \n and its like, \" and any other punctuation, \x41, \101, \u0041 (pairs of surrogates too),
// \u{41}, \U00000041; a line end behind a backslash is none.
class BackslashDecoder final : public EscapeDecoder {
 public:
  explicit BackslashDecoder(DecoderHost& host) : EscapeDecoder(host, "json", Sign::backslash) {}

 private:
  bool read_word(std::string_view text, size_t size, uint64_t signs, Word& word) const override;
  EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const override;
};

}  // namespace gatehouse::dlp
