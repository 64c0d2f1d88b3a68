#include "dlp/decode/decoders.h"

#include "dlp/decode/alphabets.h"
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/quoted_printable.h"

namespace gatehouse::dlp {

std::vector<std::unique_ptr<Decoder>> make_decoders(DecoderHost& host) {
  std::vector<std::unique_ptr<Decoder>> decoders;
  decoders.push_back(std::make_unique<ContainerSniffer>(host));
  decoders.push_back(std::make_unique<AlphabetDecoder>(host));
  decoders.push_back(std::make_unique<PercentDecoder>(host));
  decoders.push_back(std::make_unique<BackslashDecoder>(host));
  decoders.push_back(std::make_unique<EntityDecoder>(host));
  decoders.push_back(std::make_unique<QuotedPrintable>(host));
  return decoders;
}

}  // namespace gatehouse::dlp
