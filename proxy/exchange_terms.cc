// What a request that nobody objects to is bound to by the policy's terms.
#include <algorithm>

#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {

constexpr int kForbidden = 403;
constexpr int kBadGateway = 502;

}  // namespace

// The narrower of what the whole policy and what the rules that match say.
policy::BodyLimit Exchange::request_limit() const {
  const uint64_t whole = policy_.limits().request_body_bytes;
  return terms_.request_body.bytes < whole ? terms_.request_body : policy::BodyLimit{whole, {}};
}

bool Exchange::is_declared_too_long() const {
  return head_.framing.kind == Framing::Kind::length && head_.framing.length > request_limit().bytes;
}

void Exchange::may_go(Decision decision, const std::vector<dlp::Finding>& findings) {
  record(std::move(decision), kForbidden, findings);
}

// False when the exchange has been stopped.
bool Exchange::response_fits(uint64_t bytes) {
  const auto& limit = terms_.response_body;
  if (bytes <= limit.bytes) return true;
  const auto denial =
      Decision{Verdict::deny, limit.rule,
               fmt::format("the response's body is longer than the {} bytes that rule '{}' lets through", limit.bytes,
                           limit.rule)};
  stop(denial, kBadGateway);
  return false;
}

}  // namespace gatehouse::proxy
