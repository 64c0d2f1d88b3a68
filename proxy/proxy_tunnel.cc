#include "proxy/proxy_tunnel.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>

#include "common/base/log.h"
#include "common/base/wiping.h"

namespace gatehouse::proxy {

namespace {

constexpr size_t kMaxReasonBytes = 100;
constexpr size_t kStatusLineBytes = 12;  // "HTTP/1.1 200", all that must be there

std::string base64(std::string_view text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<size_t>(size));
  return encoded;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "HTTP/1.1 200 Connection established" (RFC 9112 section 4).
Result<TunnelAnswer> read_status_line(std::string_view line) {
  const bool well_formed = line.size() >= kStatusLineBytes && line.starts_with("HTTP/1.") && is_digit(line[7]) &&
                           line[8] == ' ' && std::all_of(line.begin() + 9, line.begin() + 12, is_digit) &&
                           (line.size() == kStatusLineBytes || line[kStatusLineBytes] == ' ');
  if (!well_formed) return fail("the answer is no HTTP/1");
  TunnelAnswer answer;
  answer.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (line.size() > kStatusLineBytes + 1) {
    answer.reason = log::printable(line.substr(kStatusLineBytes + 1), kMaxReasonBytes);
  }
  return answer;
}

}  // namespace

std::string tunnel_request(std::string_view host, uint16_t port, std::string_view credential) {
  std::string request = fmt::format("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n", host, port);
  if (!credential.empty()) {
    std::string encoded = base64(credential);
    // Of its full size at once, so that no copy is left behind.
    request.reserve(request.size() + encoded.size() + 64);
    request.append("Proxy-Authorization: Basic ").append(encoded).append("\r\n");
    wipe(encoded);
  }
  request.append("\r\n");
  return request;
}

Result<std::optional<TunnelAnswer>> read_tunnel_answer(std::string_view bytes) {
  constexpr std::string_view kBegin = "HTTP/1.";
  size_t begin = 0;
  for (;;) {
    const auto rest = bytes.substr(begin);
    if (!kBegin.starts_with(rest.substr(0, kBegin.size()))) return fail("the answer is no HTTP/1");
    const size_t end = rest.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (bytes.size() > kMaxTunnelAnswerBytes) return fail("the answer is over {} bytes", kMaxTunnelAnswerBytes);
      return std::nullopt;
    }
    begin += end + 4;
    if (begin > kMaxTunnelAnswerBytes) return fail("the answer is over {} bytes", kMaxTunnelAnswerBytes);
    auto answer = read_status_line(rest.substr(0, rest.find("\r\n")));
    if (!answer) return failed(answer);
    if (answer->status / 100 == 1 && answer->status != 101) continue;
    answer->bytes = begin;
    return std::optional(std::move(*answer));
  }
}

}  // namespace gatehouse::proxy
