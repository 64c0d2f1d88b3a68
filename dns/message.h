// Reading DNS messages (RFC 1035 section 4, EDNS(0) of RFC 6891). Whatever is read comes from the guest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "dns/name.h"

namespace gatehouse::dns {

inline constexpr size_t kHeaderBytes = 12;
inline constexpr size_t kMaxMessageBytes = 65535;  // what RFC 7766's two length bytes can say
inline constexpr size_t kMinUdpBytes = 512;        // RFC 1035 section 4.2.1: what every client takes without EDNS
// What we announce, and the most we ever send (the DNS flag day 2020 figure: no fragmentation on any usual path).
inline constexpr size_t kMaxUdpBytes = 1232;

// Resource record types (IANA registry) that the code names; any other value is as valid.
enum Type : uint16_t {
  kTypeA = 1,
  kTypeSoa = 6,
  kTypePtr = 12,
  kTypeHinfo = 13,
  kTypeAaaa = 28,
  kTypeOpt = 41,
  kTypeAny = 255,
};
inline constexpr uint16_t kClassIn = 1;

// "A", "AAAA", "HTTPS"..., or "TYPE65280" (RFC 3597) for one without a name.
std::string type_text(uint16_t type);

// Bits of the second 16 bits of the header (RFC 1035 section 4.1.1, RFC 4035 section 3).
inline constexpr uint16_t kFlagResponse = 0x8000;
inline constexpr uint16_t kFlagAuthoritative = 0x0400;
inline constexpr uint16_t kFlagTruncated = 0x0200;
inline constexpr uint16_t kFlagRecursionDesired = 0x0100;
inline constexpr uint16_t kFlagRecursionAvailable = 0x0080;
inline constexpr uint16_t kFlagCheckingDisabled = 0x0010;
inline constexpr uint16_t kOpcodeMask = 0x7800;
inline constexpr uint16_t kRcodeMask = 0x000f;

struct Header {
  uint16_t id = 0;
  uint16_t flags = 0;
  uint16_t questions = 0;
  uint16_t answers = 0;
  uint16_t authorities = 0;
  uint16_t additionals = 0;
};

// What the OPT record says (RFC 6891 section 6.1).
struct Edns {
  uint16_t udp_bytes = 0;  // the largest datagram the client takes
  uint8_t version = 0;
  bool dnssec_ok = false;
};

// One query as far as it could be read; views point into the message.
struct Query {
  bool answerable = false;  // a header is there and it is not a response: a reply can be sent
  Header header;
  std::string_view question;  // QNAME, QTYPE, QCLASS as sent, letter case included; empty when there is none to echo
  Name name;
  uint16_t type = 0;
  uint16_t klass = 0;
  std::optional<Edns> edns;

  bool is_standard() const { return (header.flags & kOpcodeMask) == 0; }  // opcode QUERY
};

// Fills `query` (which must be fresh) from a message. On an error what had been read so far stays, so that FORMERR can
// be said with the right id and question. For an opcode other than QUERY only the header is read: its body means
// something else. Errors name the fault in a few words: no header, a response, other than one question, records in the
// answer or authority section, a bad name, a second or misplaced OPT, malformed options, bytes cut short or left over.
Result<void> read_query(std::string_view message, Query& query);

struct Record {
  Name owner;
  uint16_t type = 0;
  uint16_t klass = 0;
  uint32_t ttl = 0;
  std::string_view data;  // as it stands: names in it may be compressed
};

struct Message {
  Header header;
  std::string_view question;
  Name name;
  uint16_t type = 0;
  uint16_t klass = 0;
  std::vector<Record> answers;
  std::vector<Record> authorities;
  std::vector<Record> additionals;
};

// Reads any message with at most one question to its last byte; views point into it.
Result<Message> read_message(std::string_view bytes);

}  // namespace gatehouse::dns
