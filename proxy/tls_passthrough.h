// A TLS connection that a rule lets through as it is: recorded, then connected, then copied both ways and counted.
// Passive. Nothing in it is seen; what is known is the name, which the ClientHello has said already.
//
//   ClientHello -> budgets -> row committed -> upstream dialled (its address is judged) -> bytes -> result row
//
// Where HTTP would get an answer, the guest's client gets a TLS alert that its library puts into words.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/exchange_record.h"
#include "proxy/generation.h"
#include "proxy/guest_protocol.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"

namespace gatehouse::proxy {

// RFC 8446 section 6: of those who are refused, and of those whose upstream is not to be had.
inline constexpr char kAccessDenied = 49;
inline constexpr char kInternalError = 80;
inline constexpr char kUnrecognizedName = 112;

// A fatal alert in a record, as one may stand before any ServerHello.
std::string tls_alert(char description);

class TlsPassthrough final : public GuestProtocol, private UpstreamListener {
 public:
  // `decision` is the policy's on this connection, under `generation`; it allows. All references outlive the object.
  TlsPassthrough(Outside& outside, GuestConnection& connection, const Origin& origin,
                 std::shared_ptr<const Generation> generation, policy::HttpDecision decision);
  ~TlsPassthrough() override;

  void start() override {}
  void on_bytes(std::string& bytes) override;  // the ClientHello first
  void on_end() override;
  void on_drained() override;
  void on_deadline() override;
  void abort(std::string_view why) override;
  bool wants_bytes() const override { return state_ == State::open && !guest_ended_ && upstream_takes(); }
  bool judged_one() const override { return true; }

 private:
  enum class State { beginning, recording, opening, open, over };

  void admit();
  void record(Decision decision, char alert);
  void on_recorded(const Result<void>& committed);
  void on_opened(Outside::OpenedBytes opened);
  void forward();
  bool upstream_takes() const;
  void progress();
  // Nothing more is said of it; the alert only where nothing of the upstream's has gone to the guest.
  void fail(std::string_view error, char alert);
  void stop(const Decision& denial);

  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_end(bool clean) override;
  void on_upstream_error(const Error& error) override;
  void on_upstream_drained() override;

  Outside& outside_;
  GuestConnection& connection_;
  const std::shared_ptr<const Generation> generation_;
  policy::HttpDecision decision_;
  Target target_;
  ExchangeRecord record_;
  std::string held_;  // for the upstream, until it is there
  State state_ = State::beginning;
  char alert_ = kAccessDenied;  // that goes with the verdict, when it is a denial
  bool guest_ended_ = false;
  std::unique_ptr<Opening> opening_;
  std::unique_ptr<Upstream> upstream_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::proxy
