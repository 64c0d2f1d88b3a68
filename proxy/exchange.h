// One request and its response: judged, scanned, recorded, forwarded, relayed. Passive, and deals in messages: a
// GuestLeg and an UpstreamLeg speak whatever version of HTTP there is on their side.
//
//   head -> verdict -> [held and scanned] -> may it go -> rows committed -> refused: problem document to the guest
//                                                                        -> allowed: upstream opened -> request
//                                                 forwarded, response [scanned as it streams and] relayed -> result row
//
// Nothing goes to an upstream, and no name is looked up, before the rows of its verdict are committed.
//
// Where more is to be said of an exchange, there is one place for each kind (exchange.cc, exchange_response.cc):
//   may_go()            policy and scanner have no objection, nothing is recorded or sent yet; what takes time (an
//                       approval) or counts (a budget) answers here, now or later, with record().
//   prepare_head()      the rows are committed; what the request's head says upstream is changed here, unseen by log
//                       and scanner. Once, also when it is sent twice.
//   see_head/body/end() every byte of the response, once, before the scanner and the guest get it; changed or copied.
//   call_messages_      has the request of a gRPC call, once its head is judged (exchange_grpc.cc).
//   relay_              has the exchange once a WebSocket is open (exchange_websocket.cc).
//   call_               reads what is a call of a model, both ways, once the bytes are on their way (see_later()).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/secret_bytes.h"
#include "proxy/credential_injection.h"
#include "proxy/denial.h"
#include "proxy/exchange_record.h"
#include "proxy/generation.h"
#include "proxy/git_exchange.h"
#include "proxy/grpc_gate.h"
#include "proxy/guest_leg.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"
#include "proxy/request_inspection.h"
#include "proxy/response_inspection.h"
#include "proxy/telemetry/model_call.h"
#include "proxy/websocket_relay.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxQueuedBytes = 256 * 1024;  // per direction; above it the other side is not read
inline constexpr std::chrono::seconds kExchangeIdleTimeout{120};
// The MCP gateway closes what it waits for no longer; a server's stream is silent while a person thinks, or when nothing
// has changed.
inline constexpr std::chrono::milliseconds kToolsIdleTime = std::chrono::hours(1);

class Exchange final : private ResponseListener, private ResponseInspection::Owner, private GrpcGate::Owner {
 public:
  // All outlive the exchange.
  Exchange(Outside& outside, GuestLeg& guest, const Origin& origin);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Before it begins: it is made on behalf of another exchange, and logged beside that.
  void belong_to(std::string trace_id) { record_.set_trace(std::move(trace_id)); }
  // Begins with a request. The request's body is held back until want_request(true).
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
    judging,    // a push is with the git gate
    asking,     // a person has not decided
    open,       // the upstream is being opened, or is there
    over,
  };

  // To the verdict (exchange.cc).
  void take_trace(const RequestHead& head);
  void take_bearer(RequestHead& head);
  const Inspection* inspection() const { return unscanned_ ? nullptr : outside_.inspection(); }
  void inspect(const Inspection& with);
  void deny_by_head(int status);
  void deny_over_limit();
  dlp::StreamInfo scan_stream(dlp::Direction direction) const;
  void on_inspected(const ScanOutcome& outcome);
  void on_head_judged(Decision decision, const std::vector<dlp::Finding>& findings);
  void deny(const ScanOutcome& outcome);
  // What it is bound to (exchange_terms.cc).
  policy::BodyLimit request_limit() const;
  bool is_declared_too_long() const;
  void await_body();
  void may_go(Decision decision, const std::vector<dlp::Finding>& findings = {});
  void judge_push(Decision decision, const std::vector<dlp::Finding>& findings);
  void record_push(const Decision& decision);
  void ask(Decision decision, const std::vector<dlp::Finding>& findings);
  void on_ask_recorded(const Result<void>& committed);
  approval::Wanted question() const;
  void on_decided(const approval::Decided& decided);
  void admit(Decision decision, const std::vector<dlp::Finding>& findings);
  bool pay(uint64_t bytes_out, uint64_t bytes_in);
  policy::HttpDecision judge_with(const Fields& trailers, policy::HttpDecision by_head) const;
  bool response_fits(uint64_t bytes);
  void stop(const Decision& denial, int status, const std::vector<dlp::Finding>& findings = {},
            dlp::Direction direction = dlp::Direction::out);

  void record(Decision decision, int refusal_status, const std::vector<dlp::Finding>& findings = {},
              dlp::Direction direction = dlp::Direction::out);
  void on_recorded(const Result<void>& committed);

  // To the upstream (exchange_forward.cc).
  void prepare_head();
  void open();
  void on_opened(Opened opened);
  void forward();
  void forward_held();
  void forward_body(std::string_view bytes);
  void forward_end(const Fields& trailers);
  bool may_retry(const UpstreamLoss& loss) const;
  void on_lost(const UpstreamLoss& loss) override;
  void on_upstream_drained() override;

  // To the guest (exchange_response.cc).
  void on_interim(ResponseHead head) override;
  void on_head(ResponseHead head) override;
  void on_body(std::string_view bytes) override;
  void on_response_end(const Fields& trailers) override;
  void on_pause() override;
  void see_head(ResponseHead& head);
  void see_body(std::string_view& bytes);
  void see_end(Fields& trailers);
  void pass_body(std::string_view bytes);
  void let_go();
  void see_later();
  bool guest_keeps_up() const;
  void conclude();
  void on_passed(const ResponsePiece& piece, const std::vector<dlp::Finding>& findings) override;
  void on_stopped(const ScanOutcome& outcome) override;

  // While it is a gRPC call (exchange_grpc.cc).
  void begin_call(Decision decision, const std::vector<dlp::Finding>& findings);
  void on_call_judged(std::vector<dlp::Finding> findings) override;
  void pass_message(std::string_view bytes) override;
  void pass_end() override;
  size_t pass_queued() const override;
  void want_messages(bool wanted) override;
  void on_message_denied(const ScanOutcome& outcome) override;
  void on_findings_lost() override;

  // Once it is a WebSocket (exchange_websocket.cc).
  void open_websocket(const ResponseHead& head);
  MessageGate::Setting gate_setting(dlp::Direction direction, const DeflateAgreement& deflate) const;
  void close_websocket(std::string_view error);

  void fail(int status, const std::string& rule, const std::string& reason);
  void fail(int status, const Decision& why) { fail(status, why.rule_id, why.reason); }
  void answer(const Denial& denial);
  void finish(std::string_view error);
  void progress();
  std::chrono::milliseconds left_of(std::chrono::milliseconds whole) const;  // since began_; at least one
  void on_late();

  Outside& outside_;
  GuestLeg& guest_;
  const std::shared_ptr<const Generation> generation_;  // in force when the request began
  const policy::Policy& policy_;                        // of that
  const Origin& origin_;
  RequestHead head_;
  Target target_;
  ExchangeRecord record_;
  Decision judged_;                      // by the policy, while the scanner is asked
  policy::HttpTerms terms_;              // of the same verdict
  int refusal_status_ = 0;               // of the denial, when the verdict is deny
  std::chrono::seconds retry_after_{0};  // likewise
  // The guest began to send what is awaited of the request, or all of it had gone upstream.
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  CredentialInjection credentials_;
  SecretBytes bearer_;      // of the MCP gateway, for the server of tools
  bool unscanned_ = false;  // all of it is the MCP gateway's own, or for it alone
  std::unique_ptr<ResponseRestorer> restorer_;
  std::unique_ptr<RequestInspection> request_;
  std::unique_ptr<GrpcGate> call_messages_;
  std::vector<dlp::Finding> head_findings_;  // of its head, until the call is judged
  std::unique_ptr<approval::Question> question_;
  std::unique_ptr<GitExchange> git_;  // uses request_
  std::unique_ptr<Opening> opening_;
  std::unique_ptr<UpstreamLeg> upstream_;
  std::unique_ptr<ResponseInspection> response_;
  ResponsePiece piece_;  // not let go yet
  std::unique_ptr<WebSocketRelay> relay_;
  std::unique_ptr<ModelCallReader> call_;
  std::string unseen_;  // of the response, for call_
  bool response_whole_ = false;
  Fields asked_;            // the head's fields as they came, where the policy looks at any
  uint64_t paid_ = 0;       // of the held body: what is sent twice is counted once
  uint64_t forwarded_ = 0;  // bytes of the request's body that have gone upstream
  Phase phase_ = Phase::recording;
  bool request_complete_ = false;  // the guest has sent all of it
  bool forward_complete_ = false;  // all of it has gone upstream
  bool responding_ = false;        // the response's final head is there
  bool head_sent_ = false;         // and has gone to the guest
  bool retried_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
