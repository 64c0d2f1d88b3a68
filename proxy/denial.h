// What the agent reads when it does not get what it asked for: a problem document (RFC 9457) in plain words, with the
// rule that decided and the id of the audit row.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/verdict.h"
#include "proxy/http_message.h"

namespace gatehouse::proxy {

struct Denial {
  int status = 403;      // 403 denied; 400, 414, 417, 431, 501, 505 refused; 502, 503, 504 upstream or Gatehouse failed
  std::string rule;      // rule id or built-in id ("default-deny", "http.content-length-twice")
  std::string reason;    // why, in plain words
  std::string event_id;  // of the audit row; empty when there is none
  std::chrono::seconds retry_after{0};  // when to try again; 0: not said
  // In place of the problem document, for clients that show none.
  struct Form {
    std::string content_type;
    std::string body;
  };
  std::optional<Form> form = {};
};

Denial denial_of(const Decision& decision, std::string event_id);
Denial denial_of(const Refusal& refusal, std::string event_id);

// One sentence on what to do now: ask the operator for a rule, correct the request, or try again later.
std::string_view remedy(const Denial& denial);

// What it consists of: a body with type, title, status, detail, remedy, rule, event_id, which is ASCII and safe when
// pasted into HTML (< > & ' are written as \u escapes); and the fields besides Content-Length: Content-Type
// application/problem+json, Cache-Control no-store, Gatehouse-Event, Gatehouse-Rule.
std::string problem_document(const Denial& denial);
Fields denial_fields(const Denial& denial);

// What a gRPC call ends with instead: its status, and in at most kMaxGrpcWordsBytes the rule, the event, the reason and
// the remedy. After what has been answered already these are the trailers; where nothing has, gRPC's clients read them
// in a head that says 200 and that nothing follows ("gRPC over HTTP2", Trailers-Only), and of another status nothing
// else.
inline constexpr size_t kMaxGrpcWordsBytes = 2048;
Fields grpc_denial_trailers(const Denial& denial);
Fields grpc_denial_head(const Denial& denial);

struct DenialForm {
  bool head_request = false;  // headers only, Content-Length as for GET
  bool close = true;          // "Connection: close"; otherwise the connection goes on
};

// The whole response in HTTP/1.1.
std::string denial_response(const Denial& denial, const DenialForm& form);

// The standard reason phrase, or "Error".
std::string_view status_phrase(int status);

}  // namespace gatehouse::proxy
