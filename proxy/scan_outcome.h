// What the scanner's verdict comes to for the exchange it was asked about. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/verdict.h"
#include "common/dlp/client.h"
#include "common/policy/policy.h"
#include "proxy/request_parts.h"

namespace gatehouse::proxy {

struct ScanOutcome {
  bool allowed = false;
  // Unless allowed: rule "dlp.<rule>", or "dlp.unavailable" (status 503), "dlp.body-limit" (413).
  Decision denial = {};
  int status = 403;
  std::vector<dlp::Finding> findings = {};  // each is to have its row; printable, and without what was found
  std::string detail = {};                  // what was redacted, in words
  std::string path = {};                    // of a request, as it may be logged; empty: as it is
  bool in_host = false;                     // what was found is in the host's name
  bool scanned = true;                      // what may be logged of the request is known
};

inline constexpr int kContentTooLarge = 413;
inline constexpr std::string_view kBodyLimitRule = "dlp.body-limit";

// The scanner is away, late or incomprehensible, or there is no room to hold what it is to see.
ScanOutcome unavailable(const Error& why);
// Status kContentTooLarge, by the limit's rule or else kBodyLimitRule.
ScanOutcome over_body_limit(const policy::BodyLimit& limit);

// On a request, which is held in all four; what is to be redacted is overwritten in the last three.
ScanOutcome judge_request_scan(const Result<dlp::ScanVerdict>& verdict, const RequestParts& parts, RequestHead& head,
                               Fields& trailers, HeldBody& body);
// On a piece of a response: what asks to be redacted passes with a warning.
ScanOutcome judge_response_scan(const Result<dlp::ScanVerdict>& verdict);

}  // namespace gatehouse::proxy
