// Four bytes for each of the scanner's findings (part, offset, length, how), a zero, and a request. Whatever the guest
// sends and the scanner finds in it: no text that lies open and was found is told, what is redacted keeps its length,
// and nothing is read or written beyond the request.
#include "proxy/request_parts.h"

#include <cstdlib>

#include "proxy/finding_places.h"
#include "proxy/request_reader.h"
#include "proxy/scripted_scanner.h"

using namespace gatehouse;
using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<dlp::Finding> read_findings(std::string_view& input, const ScriptedStream& stream) {
  std::vector<dlp::Finding> findings;
  while (input.size() >= 4 && input[0] != 0) {
    dlp::Finding finding;
    finding.rule = "rule";
    finding.part = static_cast<uint8_t>(input[0]) - 1U;
    finding.offset = static_cast<uint8_t>(input[1]);
    finding.length = static_cast<uint8_t>(input[2]);
    finding.path = (input[3] & 1) != 0 ? "base64" : "";
    finding.fingerprint = (input[3] & 2) != 0 ? "same" : "";
    if (finding.part < stream.parts.size()) finding.location = stream.parts[finding.part].info.location;
    findings.push_back(finding);
    input.remove_prefix(4);
  }
  if (!input.empty()) input.remove_prefix(1);
  return findings;
}

size_t length_of(const RequestHead& head) {
  size_t length = head.path.size();
  for (const Field& field : head.fields) length += field.name.size() + field.value.size();
  return length;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  // The findings come first and are read last.
  std::string_view request = input;
  while (request.size() >= 4 && request[0] != 0) request.remove_prefix(4);
  if (request.empty()) return 0;
  request.remove_prefix(1);
  RequestReader reader(Scheme::https);
  const auto event = reader.feed(request);
  if (!event || event->kind != ReadEvent::Kind::head || reader.head().path.empty()) return 0;
  RequestHead head = reader.head();
  keep_end_to_end(head.fields);

  ScriptedScanner scanner;
  const auto scan = scanner.open({});
  RequestParts parts(head);
  parts.show_head(*scan);
  parts.begin_body(*scan);
  Fields trailers{{"X-Trailer", "value"}};
  parts.show_trailers(*scan, trailers);
  require(scanner.last().parts.size() < 4096);

  const auto findings = read_findings(input, scanner.last());
  const FindingPlaces places(parts, findings);
  const auto path = places.masked_path();
  require(path.starts_with('/'));
  for (const auto& finding : findings) {
    const auto& shown = scanner.last().parts;
    if (!finding.path.empty() || finding.length <= dlp::kPrefixBytes || finding.part >= shown.size()) continue;
    if (shown[finding.part].info.location != "path" || finding.offset >= shown[finding.part].bytes.size()) continue;
    const auto secret = shown[finding.part].bytes.substr(finding.offset, finding.length);
    // A mask may happen to look like it.
    if (secret.find('*') == std::string::npos && secret.size() > dlp::kPrefixBytes) {
      require(path.find(secret) == std::string::npos);
    }
  }
  (void)places.in_host();
  require(places.told().size() <= findings.size());

  BodyRoom room("/nowhere");
  HeldBody body(room);
  require(body.append("body").has_value());
  std::vector<dlp::Redaction> redactions;
  for (const auto& finding : findings) redactions.push_back({finding.part, finding.offset, finding.length});
  const size_t length = length_of(head);
  (void)redact(redactions, parts, head, trailers, body);
  require(length_of(head) == length && body.size() == 4 && trailers[0].value.size() == 5);
  return 0;
}
