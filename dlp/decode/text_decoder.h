// A decoder of text, which need not see what is none.
#pragma once

#include <cstdint>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

class TextDecoder : public Decoder {
 public:
  // So many bytes come next that are no text: nothing spans them, and what follows is counted from behind them. Pieces
  // go on.
  virtual void skip(uint64_t bytes) = 0;
};

}  // namespace gatehouse::dlp
