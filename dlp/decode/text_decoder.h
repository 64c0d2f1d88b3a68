// A decoder of text, which need not see what is none.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dlp/decode/decoder.h"
#include "dlp/decode/text_block.h"

namespace gatehouse::dlp {

class TextDecoder : public Decoder {
 public:
  void write(std::string_view bytes) final {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kMaskedBytes))) {
      take(TextBlock(bytes.substr(0, kMaskedBytes)));
    }
  }
  // The layer's next bytes, at least one.
  virtual void take(const TextBlock& block) = 0;
  // So many bytes come next that are no text: nothing spans them, and what follows is counted from behind them. Pieces
  // go on.
  virtual void skip(uint64_t bytes) = 0;
  // Whether there may be anything in a text that is this block and no more. One of which it is false may be skipped.
  virtual bool wants(const TextBlock& block) const = 0;
};

}  // namespace gatehouse::dlp
