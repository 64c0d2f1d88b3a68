// String literals put together in source: "ghp_" + "AAAA", 'ghp_' . 'AAAA', "ghp_" "AAAA", ghp_""AAAA.
#pragma once

#include "dlp/decode/escape_decoder.h"

namespace gatehouse::dlp {

// Into the layer "separated#joined": the quotes and what is between them are nothing.
class JoinedStringsDecoder final : public EscapeDecoder {
 public:
  explicit JoinedStringsDecoder(DecoderHost& host) : EscapeDecoder(host, "separated#joined", Sign::quote) {}

 private:
  const Mask& find(const TextBlock& block, Mask& some) const override;
  EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const override;
  bool may_begin(std::string_view /*text*/, size_t /*at*/) const override { return true; }
};

}  // namespace gatehouse::dlp
