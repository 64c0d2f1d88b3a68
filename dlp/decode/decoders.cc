#include "dlp/decode/decoders.h"

#include "dlp/decode/alphabets.h"
#include "dlp/decode/codes.h"
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/entities.h"
#include "dlp/decode/escapes.h"
#include "dlp/decode/form_spaces.h"
#include "dlp/decode/joined_strings.h"
#include "dlp/decode/listed_strings.h"
#include "dlp/decode/percent.h"
#include "dlp/decode/quoted_printable.h"
#include "dlp/decode/separated.h"
#include "dlp/decode/text_decoders.h"
#include "dlp/decode/unicode.h"
#include "dlp/decode/wide_text.h"

namespace gatehouse::dlp {
namespace {

template <class Each, class... All>
std::vector<std::unique_ptr<Each>> one_of_each(DecoderHost& host) {
  std::vector<std::unique_ptr<Each>> decoders;
  (decoders.push_back(std::make_unique<All>(host)), ...);
  return decoders;
}

}  // namespace

std::vector<std::unique_ptr<Decoder>> make_decoders(DecoderHost& host) {
  auto decoders = one_of_each<Decoder, ContainerSniffer, WideTextDecoder, FormSpaces>(host);
  decoders.push_back(std::make_unique<TextDecoders>(
      one_of_each<TextDecoder, AlphabetDecoder, PercentDecoder, BackslashDecoder, EntityDecoder, QuotedPrintable,
                  UnicodeDecoder, JoinedStringsDecoder, ListedStringsDecoder, SeparatedDecoder, CodesDecoder>(host)));
  return decoders;
}

}  // namespace gatehouse::dlp
