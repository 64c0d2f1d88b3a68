#include "dlp/decode/alphabets.h"

namespace gatehouse::dlp {

AlphabetDecoder::AlphabetDecoder(DecoderHost& host)
    : base64_(host), smaller_(host), base64_runs_(kBase64Class, *this) {}

void AlphabetDecoder::take(const TextBlock& block) {
  base64_runs_.take(block.bytes(), position_, block[Sign::base64]);
  position_ += block.bytes().size();
}

bool AlphabetDecoder::wants(const TextBlock& block) const { return holds_run(block[Sign::base64]); }

void AlphabetDecoder::skip(uint64_t bytes) {
  base64_runs_.boundary();
  position_ += bytes;
}

void AlphabetDecoder::boundary() {
  base64_runs_.boundary();
  base64_.boundary();
  smaller_.boundary();
}

void AlphabetDecoder::end() {
  boundary();
  position_ = 0;
}

void AlphabetDecoder::begin(uint64_t origin) {
  base64_.begin(origin);
  smaller_.begin(origin);
}

void AlphabetDecoder::chars(std::string_view chars, uint64_t origin) {
  base64_.chars(chars, origin);
  smaller_.chars(chars, origin);
}

void AlphabetDecoder::over() {
  base64_.over();
  smaller_.over();
}

}  // namespace gatehouse::dlp
