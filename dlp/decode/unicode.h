// Text disguised by Unicode: characters that cannot be seen put between, letters that look like others.
#pragma once

#include "dlp/decode/escape_decoder.h"

namespace gatehouse::dlp {

// Into the layer "unicode": as folded by fold(), the rest as it is.
class UnicodeDecoder final : public EscapeDecoder {
 public:
  explicit UnicodeDecoder(DecoderHost& host) : EscapeDecoder(host, "unicode", Sign::above) {}

 private:
  const Mask& find(const TextBlock& block, Mask& some) const override;
  EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const override;
  bool may_begin(std::string_view text, size_t at) const override;
  bool text_before(uint64_t position) const;
  bool tag_before(uint64_t position) const;
};

}  // namespace gatehouse::dlp
