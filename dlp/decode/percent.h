// Percent-encoding (RFC 3986 section 2.1), and the %uXXXX of old scripts. '+' stays '+'. What is encoded twice becomes
// text encoded once, which the layer above decodes.
#pragma once

#include "dlp/decode/escape_decoder.h"

namespace gatehouse::dlp {

// Into the layer "percent".
class PercentDecoder final : public EscapeDecoder {
 public:
  explicit PercentDecoder(DecoderHost& host) : EscapeDecoder(host, "percent", Sign::percent) {}

 private:
  EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const override;
};

}  // namespace gatehouse::dlp
