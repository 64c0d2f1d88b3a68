// What the scanner is told of a stream, and what it says of it. Shared by gatehouse-dlp and the gates that ask it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/verdict.h"

namespace gatehouse::dlp {

inline constexpr size_t kPrefixBytes = 4;  // of a secret that a finding may show

enum class Direction { out, in };  // from the guest, to the guest
constexpr std::string_view to_string(Direction direction) { return direction == Direction::out ? "out" : "in"; }

enum class Confidence { low, medium, high };
constexpr std::string_view to_string(Confidence confidence) {
  return confidence == Confidence::low ? "low" : confidence == Confidence::medium ? "medium" : "high";
}

// One exchange, one question, one file: everything that is judged together.
struct StreamInfo {
  std::string channel;  // "https", "http", "dns", "git", "mcp", "file"
  Direction direction = Direction::out;
  std::string host;  // where it goes to, or comes from; as judged
  std::string trace_id;
};

// A stream consists of parts, each a byte string of its own: the path, each header's value, the body.
struct PartInfo {
  // "path", "query:token" (the value), "query" (all values joined), "header:x-key" (the value), "cookie:sid",
  // "trailer:x-key", "query-name", "header-name", "cookie-name", "trailer-name" (a name a line), "head" (all of an HTTP
  // message before its body, as it stands), "body", "name" (DNS), "names" (DNS, joined over questions). Inside a body
  // the scanner appends where it was: "body/form:field", "body/file:upload.txt". In a finding's row the gate may say
  // more closely which name: "header-name:x-key".
  std::string location;
  std::string content_type;      // of a body, as its header says; empty: unknown
  std::string content_encoding;  // likewise; several as in the header, "gzip, br"
};

struct Finding {
  std::string rule;  // "github-pat"; built in: "known-secret", "secret-fragment", "canary", "decode-budget"...
  std::string
      category;       // "credentials", "known-secrets", "canaries", "personal-data", "entropy", "injection", "limits"
  std::string title;  // "GitHub personal access token"
  FindingAction severity = FindingAction::deny;  // what the rule asks for
  FindingAction action = FindingAction::deny;    // what the policy makes of it
  std::string exemption;                         // id, when action is exempt
  Confidence confidence = Confidence::medium;
  uint32_t part = 0;        // index of the part it was in
  std::string location;     // of that part
  std::string path;         // decodings between the part's bytes and the secret, "gzip>json>base64"; empty for none
  uint64_t offset = 0;      // in the part's bytes: of the secret, or of the encoded run that holds it
  uint64_t length = 0;      // of the secret when path is empty, else 0
  std::string prefix;       // its first kPrefixBytes characters, printable
  std::string fingerprint;  // keyed hash, 16 hex digits: the same secret has the same one within a session
  std::string detail;       // "with pieces sent to a.example (trace ...)"
};

// Bytes of a part to be overwritten, so that the rest may go.
struct Redaction {
  uint32_t part = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct ScanVerdict {
  enum class Outcome { allow, redact, deny };
  Outcome outcome = Outcome::deny;
  std::vector<Finding> findings;      // strictest first; all that deny, then the others up to kMaxFindings
  std::vector<Redaction> redactions;  // with Outcome::redact; in order, not overlapping
};

inline constexpr size_t kMaxFindings = 32;  // reported of one stream; the rest is counted in the last one's detail,
inline constexpr std::string_view kMoreFindings = "findings more";  // which then ends so

}  // namespace gatehouse::dlp
