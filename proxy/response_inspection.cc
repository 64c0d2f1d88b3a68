#include "proxy/response_inspection.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace gatehouse::proxy {

namespace {

std::string field_lines(const Fields& fields) {
  std::string lines;
  for (const Field& field : fields) lines.append(field.name).append(": ").append(field.value).append("\r\n");
  return lines;
}

}  // namespace

// Where several types are declared, one of them is enough.
bool is_scanned(const ResponseHead& response) {
  constexpr std::string_view kTextual[] = {"text/",      "json",       "/xml", "+xml",
                                           "javascript", "ecmascript", "yaml", "urlencoded"};
  const std::string type = lower_case(joined_values(response.fields, "Content-Type"));
  return type.empty() || std::any_of(std::begin(kTextual), std::end(kTextual),
                                     [&](std::string_view known) { return type.find(known) != std::string::npos; });
}

ResponseInspection::ResponseInspection(dlp::ScanClient& scanner, const dlp::StreamInfo& stream,
                                       const ResponseHead& head, Owner& owner)
    : owner_(owner), scan_(scanner.open(stream)) {
  scan_->part({"header", "", ""});
  scan_->write(field_lines(head.fields));
  if (head.framing.kind == Framing::Kind::none) return;
  scan_->part(
      {"body", joined_values(head.fields, "Content-Type"), lower_case(joined_values(head.fields, "Content-Encoding"))});
}

void ResponseInspection::hold(ResponsePiece piece) {
  if (piece.end && !piece.end->empty()) {
    scan_->part({"trailer", "", ""});
    scan_->write(field_lines(*piece.end));
  }
  if (held_.empty()) {
    held_ = std::move(piece);
  } else {
    held_.body += piece.body;  // a head comes first or never
    held_.end = std::move(piece.end);
  }
  ask();
}

// One question at a time: what comes meanwhile is asked about together.
void ResponseInspection::ask() {
  if (asking_ || held_.empty()) return;
  asking_ = true;
  asked_ = std::exchange(held_, {});
  const auto on_verdict = [this](const Result<dlp::ScanVerdict>& verdict) { judged(verdict); };
  if (asked_.end) {
    scan_->finish(on_verdict);
  } else {
    scan_->check(on_verdict);
  }
}

void ResponseInspection::judged(const Result<dlp::ScanVerdict>& verdict) {
  asking_ = false;
  const auto outcome = judge_response_scan(verdict);
  if (!outcome.allowed) return owner_.on_stopped(outcome);
  const auto passed = std::exchange(asked_, {});
  ask();
  owner_.on_passed(passed, outcome.findings);
}

}  // namespace gatehouse::proxy
