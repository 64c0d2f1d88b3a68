// A response shown to the scanner as it streams: what is for the guest waits here until what it says has been judged,
// and no longer. Passive.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/dlp/client.h"
#include "proxy/http_message.h"
#include "proxy/scan_outcome.h"

namespace gatehouse::proxy {

// Text, and what may be text for all that is declared. Archives, images and the like are not scanned.
bool is_scanned(const ResponseHead& response);

// What of a response has come at once, in this order.
struct ResponsePiece {
  std::optional<ResponseHead> head;
  std::string body;
  std::optional<Fields> end;  // the trailers; nothing follows
  bool empty() const { return !head && body.empty() && !end; }
};

class ResponseInspection {
 public:
  // Each is the inspection's last act in the turn, and may destroy it.
  class Owner {
   public:
    virtual ~Owner() = default;
    // This may go to the guest; with its `end` there is nothing left.
    virtual void on_passed(const ResponsePiece& piece, const std::vector<dlp::Finding>& findings) = 0;
    // Nothing more may; there is a denial in the outcome.
    virtual void on_stopped(const ScanOutcome& outcome) = 0;
  };

  // `owner` outlives this.
  ResponseInspection(dlp::ScanClient& scanner, const dlp::StreamInfo& stream, const ResponseHead& head, Owner& owner);

  // Shows the scanner decoded bytes of the body.
  void show(std::string_view body) { scan_->write(body); }
  // What passes when all that has been shown has. An end shows the trailers with it, and is the last.
  void hold(ResponsePiece piece);

  // Bytes that are here or on their way to the scanner.
  size_t queued() const { return held_.body.size() + asked_.body.size() + scan_->queued(); }

 private:
  void ask();
  void judged(const Result<dlp::ScanVerdict>& verdict);

  Owner& owner_;
  std::unique_ptr<dlp::Scan> scan_;
  ResponsePiece asked_;  // passes with the verdict that is asked for
  ResponsePiece held_;   // with the next one
  bool asking_ = false;
};

}  // namespace gatehouse::proxy
