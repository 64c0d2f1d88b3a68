// HTML's character references: &#103; &#x67; and those by name that stand for what secrets are made of.
#pragma once

#include "dlp/decode/escape_decoder.h"

namespace gatehouse::dlp {

// Into the layer "html".
class EntityDecoder final : public EscapeDecoder {
 public:
  explicit EntityDecoder(DecoderHost& host) : EscapeDecoder(host, "html", Sign::ampersand) {}

 private:
  const Mask& find(const TextBlock& block, Mask& some) const override;
  EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const override;
};

}  // namespace gatehouse::dlp
