// The decoders of one layer.
#pragma once

#include <memory>
#include <vector>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

// What finds for itself what there is to decode: containers, wide characters, and all of text as one. The host outlives
// them.
std::vector<std::unique_ptr<Decoder>> make_decoders(DecoderHost& host);

}  // namespace gatehouse::dlp
