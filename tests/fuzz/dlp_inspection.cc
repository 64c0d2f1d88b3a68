// A whole stream: every decoder over every layer. The first byte says what is declared, the second how it is cut. The
// same rules find something however the bytes are cut.
#include "dlp/inspection.h"

#include <cstdlib>
#include <set>

#include "dlp/literal_reader.h"

using namespace gatehouse;
using namespace gatehouse::dlp;

namespace {

const PartInfo kParts[] = {{"body", "", ""},
                           {"body", "application/json", ""},
                           {"body", "application/json", "gzip"},
                           {"body", "text/plain", "br, zstd"},
                           {"body", "multipart/form-data; boundary=XX", ""},
                           {"query:q", "", ""}};

using Seen = std::set<std::string>;  // rules

Seen inspect(const PartInfo& part, std::string_view bytes, size_t piece) {
  static LiteralSource source({"ghp_000000000000000000000000000000000000"});
  static Inspector inspector{source, [](std::string_view secret) { return std::to_string(secret.size()); },
                             [] { return std::chrono::nanoseconds(0); }};  // as if no time went by
  policy::Limits limits;
  limits.decoded_bytes = 8 << 20;
  Inspection inspection(inspector, {"https", Direction::out, "api.example.com", "trace"}, limits);
  inspection.part(part);
  for (size_t at = 0; at < bytes.size(); at += piece) inspection.write(bytes.substr(at, piece));
  inspection.finish();
  Seen seen;
  for (const auto& finding : inspection.take_findings()) seen.insert(finding.rule);
  return seen;
}

bool spent(const Seen& seen) { return seen.contains("decode-budget"); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const PartInfo& part = kParts[data[0] % std::size(kParts)];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto whole = inspect(part, bytes, bytes.size() + 1);
  const auto cut = inspect(part, bytes, data[1] + 1);
  if (!spent(whole) && !spent(cut) && whole != cut) std::abort();
  return 0;
}
