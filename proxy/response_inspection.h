// A response shown to the scanner as it streams: what is for the guest waits here until what it says has been judged,
// and no longer. Passive.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/dlp/client.h"
#include "proxy/http_message.h"
#include "proxy/scan_outcome.h"

namespace gatehouse::proxy {

// Text, and what may be text for all that is declared. Archives, images and the like are not scanned.
bool is_scanned(const ResponseHead& response);

class ResponseInspection {
 public:
  // Each is the inspection's last act in the turn, and may destroy it.
  class Owner {
   public:
    virtual ~Owner() = default;
    // These bytes may go to the guest; `last` after finish(), with all there is.
    virtual void on_passed(std::string_view wire, const std::vector<dlp::Finding>& findings, bool last) = 0;
    // Nothing more may; there is a denial in the outcome.
    virtual void on_stopped(const ScanOutcome& outcome) = 0;
  };

  // `owner` outlives this.
  ResponseInspection(dlp::ScanClient& scanner, const dlp::StreamInfo& stream, const ResponseHead& head, Owner& owner);

  // Decoded bytes of the body.
  void show(std::string_view body) { scan_->write(body); }
  // Bytes that pass when all that has been shown has.
  void hold(std::string wire);
  // The end, and the bytes that go with it.
  void finish(const Fields& trailers, std::string wire);

  // Bytes that are here or on their way to the scanner.
  size_t queued() const { return held_.size() + asked_.size() + scan_->queued(); }

 private:
  void ask();
  void judged(const Result<dlp::ScanVerdict>& verdict);

  Owner& owner_;
  std::unique_ptr<dlp::Scan> scan_;
  std::string asked_;  // passes with the verdict that is asked for
  std::string held_;   // with the next one
  bool asking_ = false;
  bool last_ = false;  // the verdict that is asked for covers everything
  bool finished_ = false;
};

}  // namespace gatehouse::proxy
