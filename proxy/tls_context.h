// What TLS sessions of one loop share: settings, ticket keys, and sessions to resume.
#pragma once

#include <openssl/ssl.h>

#include <list>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/tls/openssl.h"
#include "proxy/leaf_cache.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxRememberedSessions = 512;
inline constexpr int64_t kResumptionSeconds = 3600;  // after which an upstream's certificate is verified anew

// Ticket keys shared by every loop of one process and known to no other.
class TicketKeys {
 public:
  static Result<TicketKeys> create();
  TicketKeys(TicketKeys&&) = default;
  TicketKeys& operator=(TicketKeys&&) = default;
  ~TicketKeys();

 private:
  friend class TlsServerContext;
  TicketKeys() = default;
  std::string bytes_;
};

// For sessions with the guest, who offers h2, http/1.1 or no ALPN at all. Belongs to one loop's thread; outlives its
// sessions.
class TlsServerContext {
 public:
  // `leaves` and `authority` outlive the context. An authority that is no root is sent along with each leaf.
  static Result<std::unique_ptr<TlsServerContext>> create(LeafCache& leaves, const CertificateAuthority& authority,
                                                          const TicketKeys& keys);

  SSL_CTX* context() const { return context_.get(); }
  LeafCache& leaves() const { return leaves_; }

 private:
  TlsServerContext(tls::ContextPtr context, LeafCache& leaves) : context_(std::move(context)), leaves_(leaves) {}
  tls::ContextPtr context_;
  LeafCache& leaves_;
};

// For sessions with upstreams. Belongs to one loop's thread; outlives its sessions.
class TlsClientContext {
 public:
  // Trusts the system's roots, or only those in the PEM file `ca_file` when that is not empty.
  static Result<std::unique_ptr<TlsClientContext>> create(const std::string& ca_file);

  SSL_CTX* context() const { return context_.get(); }

  // Keeps `session` to resume with the same `peer`, in place of an older one.
  void remember(const std::string& peer, tls::SslSessionPtr session);
  // Hands out the session kept for `peer`; null when there is none. One of TLS 1.3 once (RFC 8446 appendix C.4); of 1.2
  // a server gives no new one when it resumes.
  tls::SslSessionPtr recall(const std::string& peer);

 private:
  struct Remembered {
    std::string peer;
    tls::SslSessionPtr session;
  };
  explicit TlsClientContext(tls::ContextPtr context) : context_(std::move(context)) {}

  tls::ContextPtr context_;
  std::list<Remembered> sessions_;  // newest first
};

}  // namespace gatehouse::proxy
