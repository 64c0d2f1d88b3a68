#include "proxy/certificate_authority.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <charconv>
#include <vector>

#include "common/base/fd.h"
#include "common/tls/ca.h"

namespace gatehouse::proxy {

namespace {

// Bytes that hold a key for a moment: of one size from the start, so that growing leaves no copy behind, and wiped.
class PemBuffer {
 public:
  PemBuffer() : bytes_(kMaxCaBytes + 1) {}
  ~PemBuffer() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  PemBuffer(const PemBuffer&) = delete;
  PemBuffer& operator=(const PemBuffer&) = delete;

  Result<void> fill(int fd) {
    while (size_ < bytes_.size()) {
      const ssize_t got = ::read(fd, bytes_.data() + size_, bytes_.size() - size_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("cannot read");
      if (got == 0) return {};
      size_ += static_cast<size_t>(got);
    }
    return fail("larger than the limit of {} bytes", kMaxCaBytes);
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::vector<char> bytes_;
  size_t size_ = 0;
};

Result<Fd> open_source(const std::string& source) {
  constexpr std::string_view kInherited = "fd:";
  if (!source.starts_with(kInherited)) {
    Fd file(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno("cannot open {}", source);
    return file;
  }
  int number = -1;
  const char* end = source.data() + source.size();
  const auto [stop, error] = std::from_chars(source.data() + kInherited.size(), end, number);
  if (error != std::errc() || stop != end || number <= STDERR_FILENO) {
    return fail("'{}': expected fd:N with the number of an inherited descriptor above 2", source);
  }
  return Fd(number);
}

tls::BioPtr reader_of(std::string_view pem) {
  return tls::BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// An encrypted key is refused rather than asked about on a terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

Result<CertificateAuthority> CertificateAuthority::from_pem(std::string_view pem) {
  if (pem.size() > kMaxCaBytes) return fail("larger than the limit of {} bytes", kMaxCaBytes);
  auto certificate = tls::certificate_from_pem(pem);
  if (!certificate) return failed(certificate);
  const auto bio = reader_of(pem);
  tls::KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!key) return tl::unexpected(tls::openssl_error("no readable, unencrypted PEM private key"));
  X509& x = **certificate;
  if (X509_check_private_key(&x, key.get()) != 1) {
    return tl::unexpected(tls::openssl_error("the private key does not belong to the certificate"));
  }
  if (X509_check_ca(&x) != 1 || (X509_get_key_usage(&x) & KU_KEY_CERT_SIGN) == 0) {
    return fail("the certificate may not sign others (needs CA:TRUE and keyCertSign)");
  }
  if (X509_cmp_current_time(X509_get0_notBefore(&x)) > 0) return fail("the certificate is not valid yet");
  if (X509_cmp_current_time(X509_get0_notAfter(&x)) < 0) return fail("the certificate has expired");
  return CertificateAuthority(std::move(*certificate), std::move(key));
}

Result<CertificateAuthority> CertificateAuthority::load(const std::string& source) {
  const auto context = "--ca " + source;
  const auto file = open_source(source);
  if (!file) return failed(file, "--ca");
  PemBuffer pem;
  if (auto ok = pem.fill(file->get()); !ok) return failed(ok, context);
  auto authority = from_pem(pem.view());
  if (!authority) return failed(authority, context);
  return authority;
}

Result<CertificateAuthority> CertificateAuthority::create(std::string_view session) {
  const auto ca = tls::create_session_ca(session);
  if (!ca) return failed(ca);
  auto certificate = tls::certificate_from_pem(ca->certificate);
  if (!certificate) return failed(certificate);
  const auto bio = reader_of(ca->key.view());
  tls::KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!key) return tl::unexpected(tls::openssl_error("cannot read the key just made"));
  return CertificateAuthority(std::move(*certificate), std::move(key));
}

}  // namespace gatehouse::proxy
