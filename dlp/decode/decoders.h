// The decoders of one layer.
#pragma once

#include <memory>
#include <vector>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

// One of each that finds for itself what there is to decode. The host outlives them.
std::vector<std::unique_ptr<Decoder>> make_decoders(DecoderHost& host);

}  // namespace gatehouse::dlp
