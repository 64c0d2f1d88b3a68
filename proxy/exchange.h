// One request and its response: judged, scanned, recorded, forwarded, relayed. Passive.
//
//   head -> verdict -> [held and scanned] -> rows committed -> refused: problem document to the guest
//                                                           -> allowed: upstream opened -> request forwarded,
//                                                              response [scanned as it streams and] relayed -> result
//                                                              row
//
// Nothing goes to an upstream, and no name is looked up, before the rows of its verdict are committed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/denial.h"
#include "proxy/exchange_record.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"
#include "proxy/request_inspection.h"
#include "proxy/request_reader.h"
#include "proxy/response_inspection.h"
#include "proxy/response_reader.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxQueuedBytes = 256 * 1024;  // per direction; above it the other side is not read
inline constexpr std::chrono::seconds kExchangeIdleTimeout{120};
// A model may think for minutes before its first byte.
inline constexpr std::chrono::seconds kFirstByteTimeout{300};

// The connection an exchange belongs to. Each of the last three calls is the exchange's last act in the turn.
class ExchangeOwner {
 public:
  virtual ~ExchangeOwner() = default;
  virtual void send_plain(std::string_view bytes) = 0;
  // Whether more of the request may come.
  virtual void want_request(bool wanted) = 0;
  // The response is out; `keep_alive` tells whether another request may follow.
  virtual void exchange_over(bool keep_alive) = 0;
  // The response cannot be completed: the guest must notice.
  virtual void exchange_cut() = 0;
};

class Exchange final : private UpstreamListener, private ResponseInspection::Owner {
 public:
  // All outlive the exchange.
  Exchange(Outside& outside, ExchangeOwner& owner, const policy::Policy& policy, const Origin& origin);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Begins with a request. The owner holds back the request's body until want_request(true).
  void start(const RequestHead& head);
  // Begins with what is no request: recorded and answered with refusal's status.
  void refuse(const Refusal& refusal);

  // The request goes on. Only while it is wanted.
  void on_request_body(std::string_view bytes);
  void on_request_complete(const Fields& trailers);
  // What follows the head is no HTTP: nothing more of it goes upstream.
  void on_request_broken(const Refusal& refusal);

  void on_guest_drained();
  void on_deadline();
  // The guest is gone.
  void abort(std::string_view why);

 private:
  enum class Phase {
    holding,    // the request comes in, and goes to the scanner
    scanning,   // it is there, the scanner's verdict is not
    recording,  // rows are being committed
    open,       // the upstream is being opened, or is there
    over,
  };

  void inspect(const Inspection& with);
  void deny_by_head(int status);
  void deny_over_limit(uint64_t limit);
  dlp::StreamInfo scan_stream(dlp::Direction direction) const;
  void on_inspected(const ScanOutcome& outcome);
  void deny(const ScanOutcome& outcome);
  void record(Decision decision, int refusal_status, const std::vector<dlp::Finding>& findings = {},
              dlp::Direction direction = dlp::Direction::out);
  void on_recorded(const Result<void>& committed);
  void open();
  void on_opened(Opened opened);

  void forward();
  void forward_held();
  void forward_body(std::string_view bytes);
  void forward_end(const Fields& trailers);
  bool may_retry() const;

  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_end(bool clean) override;
  void on_upstream_error(const Error& error) override;
  void on_upstream_drained() override;
  void upstream_lost(const std::string& reason);
  bool guest_keeps_up() const;

  // One event of the response; false when the exchange has ended with it.
  bool on_response(const ReadEvent& event, bool more_follows);
  bool relay_head();
  void relay_body(std::string_view bytes);
  void complete(bool upstream_reusable);
  void conclude();
  void on_passed(std::string_view wire, const std::vector<dlp::Finding>& findings, bool last) override;
  void on_stopped(const ScanOutcome& outcome) override;

  void fail(int status, const std::string& rule, const std::string& reason);
  void answer(const Denial& denial);
  void finish(std::string_view error);
  void flush();
  void progress();

  Outside& outside_;
  ExchangeOwner& owner_;
  const policy::Policy& policy_;
  const Origin& origin_;
  RequestHead head_;
  Target target_;
  ExchangeRecord record_;
  Decision judged_;         // by the policy, while the scanner is asked
  int refusal_status_ = 0;  // of the denial, when the verdict is deny
  std::unique_ptr<RequestInspection> request_;
  std::unique_ptr<Upstream> upstream_;
  std::unique_ptr<ResponseReader> reader_;
  std::unique_ptr<ResponseInspection> response_;
  Framing guest_framing_;
  std::string relayed_;     // for the guest, sent or held once a turn
  uint64_t forwarded_ = 0;  // bytes of the request's body that have gone upstream
  Phase phase_ = Phase::recording;
  bool request_complete_ = false;  // the guest has sent all of it
  bool forward_complete_ = false;  // all of it has gone upstream
  bool head_relayed_ = false;      // the response's final head is for the guest, or has gone there
  bool head_sent_ = false;
  bool close_after_ = false;
  bool retried_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
