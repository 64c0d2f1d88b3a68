// One TLS session as a passive thing: bytes in, bytes out, no socket. TLS 1.2 and 1.3 (RFC 5246, RFC 8446).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/tls/certified_key.h"
#include "common/tls/openssl.h"
#include "proxy/tls_context.h"

namespace gatehouse::proxy {

// The name in the body of a server_name extension (RFC 6066 section 3): lower case, without a final dot. Anything but
// one host_name of 1 to 253 letters, digits, '-', '_' and '.' is an error.
Result<std::string> read_server_name(std::string_view extension);

class TlsSession {
 public:
  // Towards the guest. The certificate is one for the name in the client's SNI, or for `fallback_name` (a DNS name or a
  // numeric address) when it names none. A ticket is taken only for the name it was given for.
  static Result<std::unique_ptr<TlsSession>> accept(const TlsServerContext& context, std::string_view fallback_name);

  // Towards an upstream, which must prove to be `host` (a DNS name, or a numeric address). An earlier session with the
  // same host and port, in which we were the same, is resumed. http/1.1 is offered by ALPN, and before it h2 with
  // `http2`. `identity` is shown when it asks who we are, if not null. The first bytes to send come from the first
  // receive(), with no input.
  static Result<std::unique_ptr<TlsSession>> connect(TlsClientContext& context, const std::string& host, uint16_t port,
                                                     bool http2 = false, const tls::CertifiedKey* identity = nullptr);

  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Takes what the peer sent, possibly nothing. Appends decrypted bytes to `plain` and what must go to the peer to
  // `wire`, also on error: the alert. An error says in words what failed, such as "certificate has expired"; the
  // session is over.
  Result<void> receive(std::string_view bytes, std::string& plain, std::string& wire);

  // Encrypts; only while established() (asserted).
  Result<void> send(std::string_view plain, std::string& wire);

  // Says close_notify: nothing is sent after it.
  void close(std::string& wire);

  bool established() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  // Client side: what failed was the peer's certificate.
  bool certificate_refused() const { return certificate_refused_; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  // The peer has said close_notify: the end of its bytes is no truncation.
  bool peer_closed() const { return peer_closed_; }
  // What ALPN (RFC 7301) came to, once established: "h2", "http/1.1" or nothing.
  std::string_view alpn() const;
  // Server side: the name in the ClientHello; empty when it named none, or has not come yet.
  const std::string& sni() const { return sni_; }

  // Callbacks for the contexts' settings.
  static int on_client_hello(SSL* ssl, int* alert, void*);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  static int on_verify(int ok, X509_STORE_CTX* store);
  static int on_status(SSL* ssl, void*);

 private:
  TlsSession() = default;
  Result<void> attach(SSL_CTX* context);
  Result<void> read_hello();
  Result<void> expect_host(const std::string& host);
  void take_output(std::string& wire);
  Error failure() const;

  tls::SslPtr ssl_;
  BIO* in_ = nullptr;                   // owned by ssl_
  BIO* out_ = nullptr;                  // owned by ssl_
  LeafCache* leaves_ = nullptr;         // server side
  std::string fallback_name_;           // server side
  TlsClientContext* client_ = nullptr;  // client side
  std::string peer_;                    // client side: whose session, "host:port"; and as whom
  std::string host_;                    // client side
  std::string sni_;
  std::string refusal_;  // our own reason, where OpenSSL knows only that a callback said no
  bool certificate_refused_ = false;
  bool broken_ = false;  // by an error, after which nothing of it is resumed
  bool peer_closed_ = false;
};

}  // namespace gatehouse::proxy
