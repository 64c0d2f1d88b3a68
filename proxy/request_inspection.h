// One request held back whole until the scanner has seen all of it. Passive.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "common/dlp/client.h"
#include "proxy/held_body.h"
#include "proxy/outside.h"
#include "proxy/request_parts.h"
#include "proxy/scan_outcome.h"

namespace gatehouse::proxy {

class RequestInspection {
 public:
  struct Callbacks {
    std::function<void()> room;                // full() no more
    std::function<void(ScanOutcome)> outcome;  // once, after complete(); may destroy this object
  };

  // Begins to show `head`, of which only what goes upstream is left; it outlives this. `limit` is in bytes of the body.
  // Of a body that is `held` the scanner sees nothing: somebody else has it looked through.
  enum class Body { shown, held };
  RequestInspection(const Inspection& with, const dlp::StreamInfo& stream, RequestHead& head, uint64_t limit,
                    Callbacks callbacks, Body body = Body::shown);

  // More of the body; the outcome if there is one already, and then nothing may follow.
  std::optional<ScanOutcome> take(std::string_view bytes);
  // The scanner is behind: no more of the body for now.
  bool full() const { return scan_->queued() > dlp::kMaxScanQueuedBytes; }
  void complete(const Fields& trailers);

  // What was held, for forwarding once the outcome allows it.
  HeldBody& body() { return body_; }
  const Fields& trailers() const { return trailers_; }

 private:
  void judged(const Result<dlp::ScanVerdict>& verdict);

  RequestHead& head_;
  const uint64_t limit_;
  const bool shown_;
  Callbacks callbacks_;
  HeldBody body_;
  Fields trailers_;
  RequestParts parts_;
  std::unique_ptr<dlp::Scan> scan_;
};

}  // namespace gatehouse::proxy
