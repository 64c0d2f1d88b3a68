// One connection of the guest, from its first byte to its last. Passive: bytes and events go in, calls on Outside come
// out.
//
//   transparent: PROXY v2 header -> name of the address -.
//   explicit:    [CONNECT] ------------------------------+-> first byte: 0x16 TLS, a letter HTTP, else refused
//                                                             -> requests, as guest_http1.* or guest_http2.* reads
//                                                                them; or TLS as it is (tls_passthrough.*)
//
// Whatever ends before a request could be judged leaves one row saying so.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/client_hello.h"
#include "proxy/guest_protocol.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"
#include "proxy/proxy_header.h"
#include "proxy/tls_session.h"

namespace gatehouse::proxy {

inline constexpr std::chrono::seconds kProxyHeaderTimeout{10};
inline constexpr std::chrono::seconds kFirstByteOfGuestTimeout{
    10};  // longer silence: a protocol whose server speaks first
inline constexpr std::chrono::seconds kLingerTimeout{5};
inline constexpr size_t kMaxLingerBytes = 1 << 20;  // discarded, so that a guest still sending reads its answer

class GuestSession final : private GuestConnection {
 public:
  enum class Entry { transparent, explicit_proxy, tools };  // the last is the MCP gateway's

  // All three outlive the session.
  GuestSession(Entry entry, GuestSocket& socket, Outside& outside, const TlsServerContext& tls);
  ~GuestSession() override;

  void start();
  void on_bytes(std::string_view bytes);
  void on_end();
  void on_error(const Error& error);
  void on_drained();
  void on_deadline();

 private:
  enum class State { proxy_header, naming, sensing, handshaking, talking, lingering, refused, closed };

  void process();
  bool read_proxy_header();
  void on_name(const Result<std::optional<std::string>>& name);
  void take_name(const Result<std::optional<std::string>>& name);
  void start_sensing();
  bool sense();
  bool sense_tls();
  bool pass_through(const ClientHello& hello, std::shared_ptr<const Generation> generation);
  void refuse_tls(std::string_view rule, std::string_view reason, char alert);
  void start_tls();
  void receive_tls(std::string_view bytes);
  void start_talking(bool http2);
  void start_protocol(std::unique_ptr<GuestProtocol> protocol);
  bool wants_bytes() const;

  void send(std::string_view bytes) override;
  size_t queued() const override { return socket_.queued(); }
  void read(bool wanted) override { socket_.read(wanted); }
  void set_deadline(std::chrono::milliseconds after) override { socket_.set_deadline(after); }
  void start_tunnel(const RequestHead& connect, std::string rest) override;
  void refuse_connection(std::string_view rule, std::string_view reason) override;
  void end_output() override;
  void close(bool reset) override;

  GuestSocket& socket_;
  Outside& outside_;
  const TlsServerContext& tls_context_;
  State state_;
  Origin origin_;
  ProxyHeaderReader proxy_header_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<GuestProtocol> protocol_;
  std::unique_ptr<GuestProtocol> retired_;  // has asked for a tunnel
  std::string input_;                       // what was sent and not yet looked at, decrypted
  size_t lingered_ = 0;                     // bytes discarded
  bool guest_ended_ = false;
  bool end_told_ = false;       // to the protocol
  bool said_farewell_ = false;  // in the guest's own protocol
};

}  // namespace gatehouse::proxy
