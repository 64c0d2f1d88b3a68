#include "proxy/tls_session.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include <array>
#include <cassert>

#include "common/base/ip_address.h"
#include "proxy/certificate_check.h"

namespace gatehouse::proxy {

namespace {

constexpr unsigned char kHttp2OrHttp1[] = "\x02h2\x08http/1.1";
constexpr size_t kMaxNameBytes = 253;       // RFC 1035 section 2.3.4, as text
constexpr size_t kReadBytes = 16 * 1024;    // one TLS record's plaintext (RFC 8446 section 5.1)
constexpr unsigned char kHostNameType = 0;  // RFC 6066 section 3

size_t read_u16(std::string_view bytes) {
  return static_cast<size_t>(static_cast<unsigned char>(bytes[0])) << 8 | static_cast<unsigned char>(bytes[1]);
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

}  // namespace

Result<std::string> read_server_name(std::string_view extension) {
  constexpr size_t kPrefix = 2 + 1 + 2;  // list length, type, name length
  if (extension.size() < kPrefix || read_u16(extension) != extension.size() - 2) return fail("malformed SNI");
  if (static_cast<unsigned char>(extension[2]) != kHostNameType ||
      read_u16(extension.substr(3)) != extension.size() - kPrefix) {
    return fail("malformed SNI, or more than one name in it");
  }
  std::string name(extension.substr(kPrefix));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_name_byte(c)) return fail("the SNI is not a host name");
  }
  if (name.ends_with('.')) name.pop_back();
  if (name.empty() || name.size() > kMaxNameBytes) return fail("the SNI is empty or too long");
  return name;
}

Result<std::unique_ptr<TlsSession>> TlsSession::accept(const TlsServerContext& context,
                                                       std::string_view fallback_name) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  session->leaves_ = &context.leaves();
  session->fallback_name_ = fallback_name;
  if (auto ok = session->attach(context.context()); !ok) return failed(ok);
  SSL_set_accept_state(session->ssl_.get());
  return session;
}

Result<std::unique_ptr<TlsSession>> TlsSession::connect(TlsClientContext& context, const std::string& host,
                                                        uint16_t port, bool http2, const tls::CertifiedKey* identity) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  session->client_ = &context;
  session->peer_ = fmt::format("{}:{}", host, port);
  session->host_ = host;
  if (auto ok = session->attach(context.context()); !ok) return failed(ok);
  SSL_set_connect_state(session->ssl_.get());
  if (auto ok = session->expect_host(host); !ok) return failed(ok);
  if (http2 && SSL_set_alpn_protos(session->ssl_.get(), kHttp2OrHttp1, sizeof kHttp2OrHttp1 - 1) != 0) {
    return tl::unexpected(tls::openssl_error("cannot set ALPN"));
  }
  if (identity != nullptr) {
    if (auto ok = tls::show(*session->ssl_, *identity); !ok) return failed(ok);
    // A session remembers whom the server took us for.
    session->peer_ += " as " + identity->fingerprint;
  }
  if (const auto earlier = context.recall(session->peer_)) SSL_set_session(session->ssl_.get(), earlier.get());
  return session;
}

// A connection that is dropped once its last answer is there had a good session: without close_notify both ways OpenSSL
// would take it for a bad one and never resume it. Where an answer ends is said by HTTP.
TlsSession::~TlsSession() {
  if (ssl_ && established() && !broken_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

Result<void> TlsSession::attach(SSL_CTX* context) {
  ssl_.reset(SSL_new(context));
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  if (!ssl_ || in_ == nullptr || out_ == nullptr) {
    BIO_free(in_);
    BIO_free(out_);
    return tl::unexpected(tls::openssl_error("no memory for a TLS session"));
  }
  BIO_set_mem_eof_return(in_, -1);  // empty means "not yet", never the end
  SSL_set_bio(ssl_.get(), in_, out_);
  SSL_set_app_data(ssl_.get(), this);
  return {};
}

Result<void> TlsSession::expect_host(const std::string& host) {
  SSL* ssl = ssl_.get();
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  if (IpAddress::parse(host)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1) return {};
    return tl::unexpected(tls::openssl_error("cannot expect an address"));
  }
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl, host.c_str()) != 1) {
    return tl::unexpected(tls::openssl_error("cannot expect a host name"));
  }
  return {};
}

Result<void> TlsSession::receive(std::string_view bytes, std::string& plain, std::string& wire) {
  ERR_clear_error();
  if (!bytes.empty() &&
      BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())) != static_cast<int>(bytes.size())) {
    return tl::unexpected(tls::openssl_error("no memory for TLS input"));
  }
  Result<void> outcome;
  std::array<char, kReadBytes> buffer;
  for (;;) {
    const int got = SSL_read(ssl_.get(), buffer.data(), buffer.size());
    if (got > 0) {
      plain.append(buffer.data(), static_cast<size_t>(got));
      continue;
    }
    const int why = SSL_get_error(ssl_.get(), got);
    if (why == SSL_ERROR_ZERO_RETURN) peer_closed_ = true;
    if (why != SSL_ERROR_ZERO_RETURN && why != SSL_ERROR_WANT_READ) {
      broken_ = true;
      outcome = tl::unexpected(failure());
    }
    break;
  }
  take_output(wire);
  return outcome;
}

Result<void> TlsSession::send(std::string_view plain, std::string& wire) {
  assert(established());
  ERR_clear_error();
  while (!plain.empty()) {
    const int put = SSL_write(ssl_.get(), plain.data(), static_cast<int>(std::min<size_t>(plain.size(), 1 << 20)));
    if (put <= 0) return tl::unexpected(failure());
    plain.remove_prefix(static_cast<size_t>(put));
  }
  take_output(wire);
  return {};
}

void TlsSession::close(std::string& wire) {
  ERR_clear_error();
  if (!established()) return;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  take_output(wire);
}

std::string_view TlsSession::alpn() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

void TlsSession::take_output(std::string& wire) {
  char* pending = nullptr;
  const long size = BIO_get_mem_data(out_, &pending);
  wire.append(pending, static_cast<size_t>(size));
  (void)BIO_reset(out_);
}

Error TlsSession::failure() const {
  if (!refusal_.empty()) {
    ERR_clear_error();
    return Error(refusal_);
  }
  return tls::openssl_error("TLS");
}

int TlsSession::on_client_hello(SSL* ssl, int* alert, void*) {
  auto* session = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  if (auto ok = session->read_hello(); !ok) {
    session->refusal_ = ok.error().message();
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

Result<void> TlsSession::read_hello() {
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl_.get(), TLSEXT_TYPE_server_name, &bytes, &size) == 1) {
    auto name = read_server_name({reinterpret_cast<const char*>(bytes), size});
    if (!name) return failed(name);
    sni_ = std::move(*name);
  }
  const auto& name = sni_.empty() ? fallback_name_ : sni_;
  const auto leaf = leaves_->certificate_for(name, std::chrono::system_clock::now());
  if (!leaf) return failed(leaf);
  // A ticket is bound to this context: a session made for one name is never resumed under another.
  std::array<unsigned char, SHA256_DIGEST_LENGTH> context;
  SHA256(reinterpret_cast<const unsigned char*>(name.data()), name.size(), context.data());
  if (SSL_use_certificate(ssl_.get(), *leaf) != 1 || SSL_use_PrivateKey(ssl_.get(), &leaves_->key()) != 1 ||
      SSL_set_session_id_context(ssl_.get(), context.data(), context.size()) != 1) {
    return tl::unexpected(tls::openssl_error("cannot use a leaf certificate"));
  }
  return {};
}

int TlsSession::on_new_session(SSL* ssl, SSL_SESSION* session) {
  auto* owner = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  owner->client_->remember(owner->peer_, tls::SslSessionPtr(session));
  return 1;  // the reference is ours now
}

int TlsSession::on_verify(int ok, X509_STORE_CTX* store) {
  if (!is_refused(ok, *store)) return 1;
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* owner = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  owner->certificate_refused_ = true;
  owner->refusal_ = "certificate verification failed: " + why_refused(*store, owner->host_);
  return 0;
}

int TlsSession::on_status(SSL* ssl, void*) {
  const auto why = why_revoked(*ssl);
  if (why.empty()) return 1;
  auto* owner = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  owner->certificate_refused_ = true;
  owner->refusal_ = "certificate verification failed: " + why;
  return 0;
}

}  // namespace gatehouse::proxy
