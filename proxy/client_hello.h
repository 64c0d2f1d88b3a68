// The first message of a TLS connection, read by somebody who does not answer it (RFC 8446 section 4.1.2; in records,
// section 5.1). What is read here is judged, so whatever two readers could take for different things is an error.
//
// Only the first: the one that a HelloRetryRequest asks for must name the same host (RFC 8446 section 4.1.2), and a
// server that lets it name another is no worse than one that lets the Host field within, which nobody sees either.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::proxy {

inline constexpr size_t kMaxClientHelloBytes = 16 * 1024;  // the message
inline constexpr size_t kMaxClientHelloRecords = 4;
inline constexpr size_t kMaxClientHelloExtensions = 64;

struct ClientHello {
  std::string server_name;  // as read_server_name() gives it; empty when it names none
  // It has an inner ClientHello or looks as if it had (RFC 9849, and the earlier "ESNI"): the name that counts may be
  // another one.
  bool encrypted = false;
};

// `bytes` are all that have come. Nothing: more of them are needed. An error says in words what is wrong: no TLS
// record, another message, over a limit, lengths that do not add up, an extension given twice, an SNI that is no host's
// name, more messages in the same records.
Result<std::optional<ClientHello>> read_client_hello(std::string_view bytes);

}  // namespace gatehouse::proxy
