#include "common/git/push_certificate.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"

namespace gatehouse::git {

namespace {

constexpr std::string_view kVersion = "certificate version 0.1";
constexpr std::string_view kEnd = "push-cert-end";
constexpr std::string_view kOption = "push-option ";
constexpr std::string_view kHttps = "https://";
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::pair<std::string_view, std::string_view> kSignatures[] = {
    {"-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"},
    {"-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"},
    {"-----BEGIN SIGNED MESSAGE-----", "-----END SIGNED MESSAGE-----"}};  // X.509

bool is_text(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; });
}

bool is_ascii(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x7f; });
}

std::string_view repository_of(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with(".git")) path.remove_suffix(4);
  return path;
}

}  // namespace

bool is_pushee(std::string_view pushee, std::string_view host, uint16_t port, std::string_view path) {
  if (!pushee.starts_with(kHttps)) return false;
  pushee.remove_prefix(kHttps.size());
  const size_t slash = std::min(pushee.find('/'), pushee.size());
  std::string_view authority = pushee.substr(0, slash);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  std::string place(authority);
  std::transform(place.begin(), place.end(), place.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const bool there = place == fmt::format("{}:{}", host, port) || (port == 443 && place == host);
  return there && repository_of(pushee.substr(slash)) == repository_of(path);
}

Result<void> CertificateReader::take_value(std::string_view line, std::string_view key, Stage next,
                                           std::string* value) {
  if (!line.starts_with(key) || line.size() == key.size()) return fail("a push certificate without its '{}'", key);
  if (value != nullptr) *value = line.substr(key.size());
  stage_ = next;
  return {};
}

Result<std::optional<std::string_view>> CertificateReader::take(std::string_view payload) {
  using Command = std::optional<std::string_view>;
  if (!payload.ends_with('\n')) return fail("a line of the push certificate that does not end");
  const std::string_view line = payload.substr(0, payload.size() - 1);
  if (!is_text(line)) return fail("a push certificate with more than text: '{}'", log::printable(line, 100));
  Result<void> fine;
  switch (stage_) {
    case Stage::version:
      if (line != kVersion) return fail("a push certificate of another version: '{}'", log::printable(line, 100));
      stage_ = Stage::pusher;
      break;
    case Stage::pusher:
      fine = take_value(line, "pusher ", Stage::pushee, nullptr);
      break;
    case Stage::pushee:
      fine = take_value(line, "pushee ", Stage::nonce, &certificate_.pushee);
      break;
    case Stage::nonce:
      fine = take_value(line, "nonce ", Stage::options, nullptr);
      break;
    case Stage::options:
      if (line.empty()) {
        stage_ = Stage::commands;
      } else if (line.starts_with(kOption)) {
        certificate_.options.emplace_back(line.substr(kOption.size()));
      } else {
        return fail("a push certificate that says more than it may: '{}'", log::printable(line, 100));
      }
      break;
    case Stage::commands: {
      const auto* kind = std::find_if(std::begin(kSignatures), std::end(kSignatures),
                                      [line](const auto& one) { return one.first == line; });
      if (kind == std::end(kSignatures)) return Command(line);
      last_line_ = kind->second;
      stage_ = Stage::signature;
      break;
    }
    case Stage::signature:
      signature_bytes_ += payload.size();
      if (signature_bytes_ > kMaxSignatureBytes) return fail("a signature of more than {} bytes", kMaxSignatureBytes);
      // Readers differ on which of several begins the signature.
      if (!is_ascii(line) || line.starts_with(kBegin)) return fail("a push certificate with an unsound signature");
      if (line == last_line_) stage_ = Stage::end;
      break;
    case Stage::end:
      if (line != kEnd) return fail("more after the signature of the push certificate");
      stage_ = Stage::over;
      return Command();
    case Stage::over:
      return fail("more after the push certificate");
  }
  if (!fine) return failed(fine);
  certificate_.words += payload;
  return Command();
}

}  // namespace gatehouse::git
