#include "proxy/denial.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace gatehouse::proxy {

namespace {

struct StatusWords {
  int status;
  std::string_view phrase;
};
constexpr StatusWords kStatusWords[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

std::string_view title(int status) {
  if (status == 403) return "Denied by policy";
  if (status < 500 || status == 501 || status == 505) return "Request refused";
  return "Upstream or gateway failure";
}

// JSON text is ASCII after dump(); these three occur only inside its strings.
std::string html_safe(std::string_view json) {
  std::string out;
  for (const char c : json) {
    if (c == '<' || c == '>' || c == '&') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// As gRPC's clients understand a status of HTTP, but that only what may pass later is UNAVAILABLE, which they try
// again.
int grpc_status(int http_status) {
  constexpr int kPermissionDenied = 7, kResourceExhausted = 8, kInternal = 13, kUnavailable = 14;
  switch (http_status) {
    case 403:
    case 421:
      return kPermissionDenied;
    case 413:
    case 429:
      return kResourceExhausted;
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kInternal;
  }
}

// Rule ids come from the operator's policy: whatever a field value cannot hold is left out.
std::string field_safe(std::string_view value) {
  std::string out;
  std::copy_if(value.begin(), value.end(), std::back_inserter(out),
               [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  return out;
}

}  // namespace

Denial denial_of(const Decision& decision, std::string event_id) {
  return {403, decision.rule_id, decision.reason, std::move(event_id)};
}

Denial denial_of(const Refusal& refusal, std::string event_id) {
  return {refusal.status, std::string(refusal.id), refusal.reason, std::move(event_id)};
}

std::string_view remedy(const Denial& denial) {
  const bool found = denial.rule.starts_with("dlp.");
  if (found && denial.status == 403) {
    return "Send the request without what was found, and do not encode, split or hide it. If it must go there, ask the "
           "operator of this sandbox for an exemption, and quote the rule and event id.";
  }
  if (found && denial.status == 502) {
    return "Do without this answer. If it is needed, ask the operator of this sandbox for an exemption, and quote the "
           "rule and event id.";
  }
  switch (denial.status) {
    case 403:
      return "Do not retry and do not look for a way around: ask the operator of this sandbox to add a rule to the "
             "policy, and quote the rule and event id.";
    case 421:
      return "Open a connection of its own to that host, by its name: this one was made to another.";
    case 429:
      return denial.retry_after.count() > 0
                 ? "Wait as long as is said before the next request; sending more meanwhile is refused too."
                 : "Nothing is left of this budget: stop sending, and ask the operator of this sandbox if more is "
                   "needed.";
    case 502:
    case 504:
      return "The other server did not answer soundly: try again later, or ask the operator.";
    case 503:
      return "Try again in a few seconds; if it lasts, ask the operator of this sandbox.";
    default:
      return "Correct the request before sending it again; repeating it unchanged will be refused again.";
  }
}

std::string problem_document(const Denial& denial) {
  if (denial.form) return denial.form->body;
  nlohmann::ordered_json problem;
  problem["type"] = fmt::format("urn:gatehouse:{}", denial.status == 403 ? "denied" : "refused");
  problem["title"] = title(denial.status);
  problem["status"] = denial.status;
  problem["detail"] = denial.reason;
  problem["remedy"] = remedy(denial);
  problem["rule"] = denial.rule;
  if (!denial.event_id.empty()) problem["event_id"] = denial.event_id;
  return html_safe(problem.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace)) + "\n";
}

Fields denial_fields(const Denial& denial) {
  Fields fields{{"Content-Type", denial.form ? denial.form->content_type : "application/problem+json"},
                {"Cache-Control", "no-store"}};
  if (!denial.event_id.empty()) fields.push_back({"Gatehouse-Event", field_safe(denial.event_id)});
  fields.push_back({"Gatehouse-Rule", field_safe(denial.rule)});
  if (denial.retry_after.count() > 0) fields.push_back({"Retry-After", std::to_string(denial.retry_after.count())});
  return fields;
}

Fields grpc_denial_trailers(const Denial& denial) {
  const std::string words = fmt::format("{}{}{}: {}. {}", denial.rule, denial.event_id.empty() ? "" : " event ",
                                        denial.event_id, denial.reason, remedy(denial))
                                .substr(0, kMaxGrpcWordsBytes);
  std::string message;  // "gRPC over HTTP2", Percent-Encoded
  for (const char c : words) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      message += c;
    } else {
      message += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return {{"grpc-status", std::to_string(grpc_status(denial.status))}, {"grpc-message", message}};
}

Fields grpc_denial_head(const Denial& denial) {
  Fields fields = denial_fields(denial);
  fields[0].value = "application/grpc";
  for (auto& field : grpc_denial_trailers(denial)) fields.push_back(std::move(field));
  return fields;
}

std::string denial_response(const Denial& denial, const DenialForm& form) {
  const std::string body = problem_document(denial);
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", denial.status, status_phrase(denial.status));
  for (const Field& field : denial_fields(denial))
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", body.size());
  if (form.close) out.append("Connection: close\r\n");
  out.append("\r\n");
  if (!form.head_request) out.append(body);
  return out;
}

std::string_view status_phrase(int status) {
  const auto* found = std::find_if(std::begin(kStatusWords), std::end(kStatusWords),
                                   [&](const StatusWords& words) { return words.status == status; });
  return found == std::end(kStatusWords) ? "Error" : found->phrase;
}

}  // namespace gatehouse::proxy
