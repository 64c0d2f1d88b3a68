// The first byte says what is declared of the rest, the second how it is cut; it is read as a form, too.
#include "dlp/decode/container_sniffer.h"
#include "dlp/decode/form_spaces.h"
#include "tests/fuzz/dlp_cuts.h"

using namespace gatehouse::dlp;

namespace {

const Piece kPieces[] = {
    {},
    {0, {}, {}, "gzip"},
    {0, {}, "text/plain", "deflate, zstd"},
    {0, {}, "application/zip", {}},
    {0, {}, "application/x-tar", {}},
    {0, {}, "application/gzip", {}},
    {0, {}, "application/zstd", {}},
    {0, {}, "multipart/form-data; boundary=XX", {}},
};

const Piece kForm{0, {}, "application/x-www-form-urlencoded", {}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Piece& declared = kPieces[data[0] % std::size(kPieces)];
  require_the_same_of_all_cuts(bytes, data[1], [&](DecoderHost& host, const auto& next) {
    ContainerSniffer sniffer(host);
    sniffer.declare(declared);
    for (auto part = next(); !part.empty(); part = next()) sniffer.write(part);
    sniffer.end();
  });
  require_the_same_of_all_cuts(bytes, data[1], [&](DecoderHost& host, const auto& next) {
    FormSpaces spaces(host);
    spaces.declare(kForm);
    for (auto part = next(); !part.empty(); part = next()) spaces.write(part);
    spaces.end();
  });
  return 0;
}
