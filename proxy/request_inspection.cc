#include "proxy/request_inspection.h"

namespace gatehouse::proxy {

RequestInspection::RequestInspection(const Inspection& with, const dlp::StreamInfo& stream, RequestHead& head,
                                     uint64_t limit, Callbacks callbacks, Body body)
    : head_(head),
      limit_(limit),
      shown_(body == Body::shown),
      callbacks_(std::move(callbacks)),
      body_(with.room),
      parts_(head),
      scan_(with.scanner.open(stream)) {
  scan_->on_drained([this] { callbacks_.room(); });
  parts_.show_head(*scan_);
  if (has_body(head) && shown_) parts_.begin_body(*scan_);
}

std::optional<ScanOutcome> RequestInspection::take(std::string_view bytes) {
  if (body_.size() + bytes.size() > limit_) return over_body_limit({limit_, {}});
  if (auto held = body_.append(bytes); !held) return unavailable(held.error());
  if (shown_) scan_->write(bytes);
  return std::nullopt;
}

void RequestInspection::complete(const Fields& trailers) {
  trailers_ = trailers;
  parts_.show_trailers(*scan_, trailers_);
  scan_->finish([this](const Result<dlp::ScanVerdict>& verdict) { judged(verdict); });
}

void RequestInspection::judged(const Result<dlp::ScanVerdict>& verdict) {
  auto outcome = judge_request_scan(verdict, parts_, head_, trailers_, body_);
  const auto on_outcome = std::move(callbacks_.outcome);
  on_outcome(std::move(outcome));
}

}  // namespace gatehouse::proxy
