// One connection of the guest, from its first byte to its last. Passive: bytes and events go in, calls on Outside come
// out.
//
//   transparent: PROXY v2 header -> name of the address -.
//   explicit:    [CONNECT] ------------------------------+-> first byte: 0x16 TLS, a letter HTTP, else refused
//                                                             -> requests, one Exchange after another
//
// Whatever ends before a request could be judged leaves one row saying so.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/exchange.h"
#include "proxy/proxy_header.h"
#include "proxy/tls_session.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::seconds kProxyHeaderTimeout{10};
inline constexpr std::chrono::seconds kFirstByteOfGuestTimeout{
    10};  // longer silence: a protocol whose server speaks first
inline constexpr std::chrono::seconds kHandshakeTimeout{30};
inline constexpr std::chrono::seconds kHeadTimeout{30};
inline constexpr std::chrono::seconds kKeepAliveTimeout{120};
inline constexpr std::chrono::seconds kLingerTimeout{5};
inline constexpr size_t kMaxLingerBytes = 1 << 20;   // discarded, so that a guest still sending reads its answer
inline constexpr size_t kMaxAheadBytes = 64 * 1024;  // read and not looked at while an exchange cannot take more

class GuestSession final : private ExchangeOwner {
 public:
  enum class Entry { transparent, explicit_proxy };

  // All three outlive the session.
  GuestSession(Entry entry, Outside& outside, const policy::Policy& policy, const TlsServerContext& tls);
  ~GuestSession() override;

  void start();
  void on_bytes(std::string_view bytes);
  void on_end();
  void on_error(const Error& error);
  void on_drained();
  void on_deadline();

 private:
  enum class State { proxy_header, naming, sensing, request, exchanging, lingering, refused, closed };

  void process();
  void step();
  bool read_proxy_header();
  void on_name(const Result<std::optional<std::string>>& name);
  void take_name(const Result<std::optional<std::string>>& name);
  void start_sensing();
  bool sense();
  void start_tls();
  bool read_request();
  void start_tunnel();
  bool feed_exchange();
  void await_request();
  void begin_exchange();
  void compact();
  bool wants_bytes() const;
  bool answers_are_taken() const;

  void send_plain(std::string_view bytes) override;
  void want_request(bool wanted) override;
  void exchange_over(bool keep_alive) override;
  void exchange_cut() override;

  void receive_tls(std::string_view bytes);
  void refuse_request(const Refusal& refusal);
  // Ends a connection that came to no request: one row, and closed once that is committed.
  void refuse_connection(std::string_view rule, std::string_view reason);
  void end_output();
  void close(bool reset);

  Outside& outside_;
  const policy::Policy& policy_;
  const TlsServerContext& tls_context_;
  State state_;
  Origin origin_;
  ProxyHeaderReader proxy_header_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<RequestReader> reader_;
  std::unique_ptr<Exchange> exchange_;
  std::string input_;        // what was sent and not yet looked at, decrypted
  size_t consumed_ = 0;      // of input_
  size_t lingered_ = 0;      // bytes discarded
  bool judged_one_ = false;  // a request, good or bad, has been recorded
  bool head_begun_ = false;
  bool request_wanted_ = false;  // the exchange takes more of the body
  bool request_done_ = false;
  bool guest_ended_ = false;
  bool processing_ = false;
};

}  // namespace gatehouse::proxy
