// The first line is a content type; the rest is a multipart body of that type, and text with quoted-printable in it.
#include "dlp/decode/multipart.h"
#include "dlp/decode/quoted_printable.h"
#include "tests/fuzz/dlp_cuts.h"

using namespace gatehouse::dlp;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto type = input.substr(0, input.find('\n'));
  const auto bytes = input.substr(std::min(type.size() + 1, input.size()));
  const size_t piece = type.size() % 16;
  require_the_same_of_all_cuts(bytes, piece, [&](DecoderHost& host, const auto& next) {
    Multipart multipart(host, "form", 0, type);
    for (auto part = next(); !part.empty(); part = next()) {
      if (!multipart.feed(part)) return;
    }
    multipart.finish();
  });
  require_the_same_of_all_cuts(bytes, piece, [&](DecoderHost& host, const auto& next) {
    QuotedPrintable decoder(host);
    for (auto part = next(); !part.empty(); part = next()) decoder.write(part);
    decoder.end();
  });
  return 0;
}
