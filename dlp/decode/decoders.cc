#include "dlp/decode/decoders.h"

#include "dlp/decode/alphabets.h"
#include "dlp/decode/codes.h"
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/joined_strings.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/quoted_printable.h"
#include "dlp/decode/separated.h"
#include "dlp/decode/unicode.h"
#include "dlp/decode/wide_text.h"

namespace gatehouse::dlp {
namespace {

template <class... All>
std::vector<std::unique_ptr<Decoder>> one_of_each(DecoderHost& host) {
  std::vector<std::unique_ptr<Decoder>> decoders;
  (decoders.push_back(std::make_unique<All>(host)), ...);
  return decoders;
}

}  // namespace

std::vector<std::unique_ptr<Decoder>> make_decoders(DecoderHost& host) {
  return one_of_each<ContainerSniffer, AlphabetDecoder, PercentDecoder, BackslashDecoder, EntityDecoder,
                     QuotedPrintable, WideTextDecoder, UnicodeDecoder, JoinedStringsDecoder, SeparatedDecoder,
                     CodesDecoder>(host);
}

}  // namespace gatehouse::dlp
