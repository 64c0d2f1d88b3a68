// A tunnel through somebody else's proxy: the CONNECT that asks for it and the answer (RFC 9110 section 9.3.6).
// Passive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxTunnelAnswerBytes = 16 * 1024;

// `credential` is "user:password", or empty for none. The caller wipes what it gets (it holds the credential).
std::string tunnel_request(std::string_view host, uint16_t port, std::string_view credential);

// The head of the answer.
struct TunnelAnswer {
  int status = 0;
  std::string reason;  // as the proxy words it, printable
  size_t bytes = 0;    // that it took of those given
  bool open() const { return status >= 200 && status < 300; }
};

// `bytes` are all that have come. Nothing: more of them are needed. An error says in words what is wrong: no HTTP/1
// answer, or over kMaxTunnelAnswerBytes. Interim answers (1xx) are passed over.
Result<std::optional<TunnelAnswer>> read_tunnel_answer(std::string_view bytes);

}  // namespace gatehouse::proxy
