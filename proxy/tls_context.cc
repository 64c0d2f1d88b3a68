#include "proxy/tls_context.h"

#include <openssl/rand.h>

#include <algorithm>
#include <ctime>

#include "proxy/certificate_check.h"
#include "proxy/tls_session.h"

namespace gatehouse::proxy {

namespace {

constexpr unsigned char kHttp1[] = "\x08http/1.1";
constexpr unsigned char kHttp2OrHttp1[] = "\x02h2\x08http/1.1";  // the first that both have
constexpr uint64_t kOptions = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;

Result<tls::ContextPtr> create_context(const SSL_METHOD* method) {
  tls::ContextPtr context(SSL_CTX_new(method));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return tl::unexpected(tls::openssl_error("cannot set TLS up"));
  }
  SSL_CTX_set_options(context.get(), kOptions);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  return context;
}

// h2, http/1.1 or nothing; a client that can only speak something else is told so by an alert (RFC 7301 section 3.2).
int choose_http(SSL*, const unsigned char** chosen, unsigned char* chosen_length, const unsigned char* offered,
                unsigned offered_length, void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_length, kHttp2OrHttp1, sizeof kHttp2OrHttp1 - 1, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<TicketKeys> TicketKeys::create() {
  // OpenSSL tells how many bytes it wants when given no buffer.
  const auto context = create_context(TLS_server_method());
  if (!context) return failed(context);
  const auto size = SSL_CTX_set_tlsext_ticket_keys(context->get(), nullptr, 0);
  TicketKeys keys;
  keys.bytes_.resize(static_cast<size_t>(size));
  if (RAND_bytes(reinterpret_cast<unsigned char*>(keys.bytes_.data()), static_cast<int>(size)) != 1) {
    return tl::unexpected(tls::openssl_error("no random ticket keys"));
  }
  return keys;
}

TicketKeys::~TicketKeys() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<std::unique_ptr<TlsServerContext>> TlsServerContext::create(LeafCache& leaves,
                                                                   const CertificateAuthority& authority,
                                                                   const TicketKeys& keys) {
  auto context = create_context(TLS_server_method());
  if (!context) return failed(context);
  SSL_CTX* raw = context->get();
  if (SSL_CTX_set_tlsext_ticket_keys(raw, const_cast<char*>(keys.bytes_.data()), keys.bytes_.size()) != 1 ||
      SSL_CTX_set_num_tickets(raw, 1) != 1) {
    return tl::unexpected(tls::openssl_error("cannot set ticket keys"));
  }
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets need none
  SSL_CTX_set_client_hello_cb(raw, &TlsSession::on_client_hello, nullptr);
  SSL_CTX_set_alpn_select_cb(raw, &choose_http, nullptr);
  X509& issuer = authority.certificate();
  if (X509_check_issued(&issuer, &issuer) != X509_V_OK) {
    X509_up_ref(&issuer);
    if (SSL_CTX_add_extra_chain_cert(raw, &issuer) != 1) {
      X509_free(&issuer);
      return tl::unexpected(tls::openssl_error("cannot send the CA along"));
    }
  }
  return std::unique_ptr<TlsServerContext>(new TlsServerContext(std::move(*context), leaves));
}

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::create(const std::string& ca_file) {
  auto context = create_context(TLS_client_method());
  if (!context) return failed(context);
  SSL_CTX* raw = context->get();
  if (SSL_CTX_set_default_verify_paths(raw) != 1) {
    return tl::unexpected(tls::openssl_error("cannot load the system's root certificates"));
  }
  if (!ca_file.empty() && SSL_CTX_load_verify_file(raw, ca_file.c_str()) != 1) {
    return tl::unexpected(tls::openssl_error("--upstream-ca " + ca_file));
  }
  if (auto ok = set_certificate_checks(*raw); !ok) return failed(ok);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, &TlsSession::on_verify);
  SSL_CTX_set_tlsext_status_cb(raw, &TlsSession::on_status);
  if (SSL_CTX_set_alpn_protos(raw, kHttp1, sizeof kHttp1 - 1) != 0) {
    return tl::unexpected(tls::openssl_error("cannot set ALPN"));
  }
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(raw, &TlsSession::on_new_session);
  return std::unique_ptr<TlsClientContext>(new TlsClientContext(std::move(*context)));
}

void TlsClientContext::remember(const std::string& peer, tls::SslSessionPtr session) {
  sessions_.remove_if([&](const Remembered& known) { return known.peer == peer; });
  sessions_.push_front({peer, std::move(session)});
  if (sessions_.size() > kMaxRememberedSessions) sessions_.pop_back();
}

tls::SslSessionPtr TlsClientContext::recall(const std::string& peer) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& r) { return r.peer == peer; });
  if (found == sessions_.end()) return nullptr;
  if (std::time(nullptr) - SSL_SESSION_get_time(found->session.get()) > kResumptionSeconds) {
    sessions_.erase(found);
    return nullptr;
  }
  if (SSL_SESSION_get_protocol_version(found->session.get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(found->session.get());
    return tls::SslSessionPtr(found->session.get());
  }
  tls::SslSessionPtr session = std::move(found->session);
  sessions_.erase(found);
  return session;
}

}  // namespace gatehouse::proxy
