#include "dlp/decode/decoders.h"

namespace gatehouse::dlp {

std::vector<std::unique_ptr<Decoder>> make_decoders(DecoderHost& /*host*/) { return {}; }

}  // namespace gatehouse::dlp
