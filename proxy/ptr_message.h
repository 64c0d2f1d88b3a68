// The one DNS exchange the proxy has: which name was given this address of the pool? (RFC 1035 section 3.5)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ip_address.h"
#include "common/base/result.h"

namespace gatehouse::proxy {

// The query "PTR 7.0.18.198.in-addr.arpa IN" with this id, without RFC 7766's length. IPv4 only (asserted): the pool
// is.
std::string encode_ptr_query(uint16_t id, const IpAddress& address);

struct PtrAnswer {
  uint16_t id = 0;
  std::optional<std::string> name;  // lower case, without the final dot; nothing for NXDOMAIN or an empty answer
};

// Reads the answer to such a query. An error for anything but a whole response with rcode NOERROR or NXDOMAIN whose
// first PTR record, if there is one, holds one uncompressed or compressed name.
Result<PtrAnswer> decode_ptr_answer(std::string_view message);

}  // namespace gatehouse::proxy
