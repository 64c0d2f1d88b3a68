#include "mcp-gateway/oauth_request.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstdlib>

#include "proxy/credential_forms.h"
#include "proxy/judgement.h"

namespace gatehouse::mcp {

namespace {

constexpr size_t kRandomBytes = 32;

std::string head_of(std::string_view method, const OauthUrl& url) {
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\n{}: {}\r\nUser-Agent: gatehouse/{}\r\nAccept: application/json\r\n"
      "Accept-Encoding: identity\r\nConnection: close\r\n",
      method, url.path, url.authority(), proxy::kPurposeField, proxy::kAuthorizationPurpose, GATEHOUSE_VERSION);
}

std::string with_body(std::string head, std::string_view type, std::string_view body) {
  return head.append(fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}", type, body.size(), body));
}

std::string encoded(const Form& form) {
  std::string text;
  for (const auto& [name, value] : form) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(proxy::percent_encoded(value));
  }
  return text;
}

// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes) {
  std::string text = proxy::base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

}  // namespace

std::string get_document(const OauthUrl& url) { return head_of("GET", url).append("\r\n"); }

std::string post_form(const OauthUrl& url, Form form, const OauthClient& client) {
  std::string head = head_of("POST", url);
  if (client.authentication == ClientAuthentication::basic) {
    const proxy::WipedText pair(
        fmt::format("{}:{}", proxy::percent_encoded(client.id), proxy::percent_encoded(client.secret)));
    const proxy::WipedText word(proxy::base64(pair.text()));
    head.append("Authorization: Basic ").append(word.text()).append("\r\n");
  } else {
    form.emplace_back("client_id", client.id);
  }
  if (client.authentication == ClientAuthentication::post) form.emplace_back("client_secret", client.secret);
  const proxy::WipedText body(encoded(form));
  for (auto& [name, value] : form) OPENSSL_cleanse(value.data(), value.size());
  return with_body(std::move(head), "application/x-www-form-urlencoded", body.text());
}

std::string post_json(const OauthUrl& url, const json::Value& value) {
  return with_body(head_of("POST", url), "application/json", json::write(value));
}

std::string url_with(const OauthUrl& url, const Form& parameters) {
  return fmt::format("{}{}{}", url.to_string(), url.path.find('?') == std::string::npos ? '?' : '&',
                     encoded(parameters));
}

std::string random_text() {
  std::array<unsigned char, kRandomBytes> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  return base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string challenge_of(std::string_view verifier) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(verifier.data(), verifier.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) std::abort();
  return base64url({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace gatehouse::mcp
