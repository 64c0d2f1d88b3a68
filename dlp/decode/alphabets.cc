#include "dlp/decode/alphabets.h"

namespace gatehouse::dlp {

AlphabetDecoder::AlphabetDecoder(DecoderHost& host)
    : base64_(host),
      upper_base32_(host, "base32"),
      lower_base32_(host, "base32#lower"),
      hex_(host, "hex"),
      base64_runs_(kBase64Class, *this),
      upper_base32_runs_(kUpperBase32Class, upper_base32_),
      lower_base32_runs_(kLowerBase32Class, lower_base32_),
      hex_runs_(kHexClass, hex_) {}

void AlphabetDecoder::write(std::string_view bytes) {
  base64_runs_.write(bytes, position_);
  position_ += bytes.size();
}

void AlphabetDecoder::skip(uint64_t bytes) {
  base64_runs_.boundary();
  position_ += bytes;
}

void AlphabetDecoder::boundary() {
  base64_runs_.boundary();
  base64_.boundary();
  upper_base32_.boundary();
  lower_base32_.boundary();
  hex_.boundary();
}

void AlphabetDecoder::end() {
  boundary();
  position_ = 0;
}

void AlphabetDecoder::begin(uint64_t origin) { base64_.begin(origin); }

void AlphabetDecoder::chars(std::string_view chars, uint64_t origin) {
  base64_.chars(chars, origin);
  upper_base32_runs_.write(chars, origin);
  lower_base32_runs_.write(chars, origin);
  hex_runs_.write(chars, origin);
}

void AlphabetDecoder::over() {
  base64_.over();
  upper_base32_runs_.boundary();
  lower_base32_runs_.boundary();
  hex_runs_.boundary();
}

}  // namespace gatehouse::dlp
