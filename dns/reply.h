// Writing replies. Everything we ever answer is one of a few shapes, none longer than kMaxUdpBytes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/ip_address.h"
#include "dns/message.h"

namespace gatehouse::dns {

// Response codes (RFC 1035 section 4.1.1; BADVERS: RFC 6891 section 9).
enum class Rcode : uint16_t {
  noerror = 0,
  formerr = 1,
  servfail = 2,
  nxdomain = 3,
  notimp = 4,
  refused = 5,
  badvers = 16
};
std::string_view to_string(Rcode rcode);  // "NOERROR"...

// An extended error (RFC 8914). EXTRA-TEXT is UTF-8.
enum class ErrorCode : uint16_t { other = 0, not_ready = 14, blocked = 15, prohibited = 18, not_supported = 21 };
struct ExtendedError {
  ErrorCode code = ErrorCode::other;
  std::string_view text;
};

inline constexpr std::chrono::seconds kAnswerTtl{60};   // A and PTR
inline constexpr std::chrono::seconds kNegativeTtl{5};  // short, so that a widened policy is soon seen

struct Reply {
  enum class Content {
    nothing,   // the code says it all
    address,   // one A record with `address`
    pointer,   // one PTR record with `target`
    any,       // the HINFO record of RFC 8482 section 4.2
    negative,  // no record of this name and type: an SOA record in the authority section (RFC 2308)
  };
  Rcode rcode = Rcode::servfail;
  Content content = Content::nothing;
  IpAddress address;        // IPv4
  std::string_view target;  // uncompressed wire form
  std::optional<ExtendedError> error;
};

using ReplyBuffer = std::array<char, kMaxUdpBytes>;

enum class Transport { datagram, stream };

// Writes the reply to `query` into `buffer` and returns the bytes written. Echoes id, opcode, RD, CD and the question
// as it was sent, letter case included; adds an OPT record when the query had one. What does not fit the size that the
// client takes is dropped in this order: the extended error's text, then the records, with TC set. `query` must be
// answerable.
std::string_view write_reply(const Query& query, const Reply& reply, Transport transport, ReplyBuffer& buffer);

}  // namespace gatehouse::dns
