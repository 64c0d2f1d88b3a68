#include "dns/message.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gatehouse::dns {

namespace {

constexpr uint32_t kDnssecOk = 0x8000;
constexpr size_t kRecordHeadBytes = 10;  // TYPE, CLASS, TTL, RDLENGTH

uint16_t u16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}

uint32_t u32(std::string_view bytes, size_t at) { return uint32_t{u16(bytes, at)} << 16 | u16(bytes, at + 2); }

Header read_header(std::string_view message) {
  return {u16(message, 0), u16(message, 2), u16(message, 4), u16(message, 6), u16(message, 8), u16(message, 10)};
}

// Reads the record at `offset` and returns the offset behind it.
Result<size_t> read_record(std::string_view message, size_t offset, Record& into) {
  const auto after = read_name(message, offset, into.owner);
  if (!after) return failed(after);
  offset = *after;
  if (message.size() - offset < kRecordHeadBytes) return fail("record cut short");
  into.type = u16(message, offset);
  into.klass = u16(message, offset + 2);
  into.ttl = u32(message, offset + 4);
  const size_t length = u16(message, offset + 8);
  offset += kRecordHeadBytes;
  if (message.size() - offset < length) return fail("record cut short");
  into.data = message.substr(offset, length);
  return offset + length;
}

// Unknown options are ignored as RFC 6891 section 6.1.2 asks, but they must be whole.
Result<void> check_options(std::string_view options) {
  while (!options.empty()) {
    if (options.size() < 4) return fail("EDNS option cut short");
    const size_t length = u16(options, 2);
    if (options.size() - 4 < length) return fail("EDNS option cut short");
    options.remove_prefix(4 + length);
  }
  return {};
}

Result<void> take_opt(const Record& record, Query& query) {
  if (query.edns) return fail("two OPT records");
  if (!record.owner.is_root()) return fail("OPT record with an owner name");
  query.edns = Edns{record.klass, static_cast<uint8_t>(record.ttl >> 16), (record.ttl & kDnssecOk) != 0};
  return check_options(record.data);
}

template <class Into>
Result<size_t> read_question(std::string_view message, Into& into) {
  const auto after = read_name(message, kHeaderBytes, into.name);
  if (!after) return failed(after);
  if (message.size() - *after < 4) return fail("question cut short");
  into.type = u16(message, *after);
  into.klass = u16(message, *after + 2);
  into.question = message.substr(kHeaderBytes, *after + 4 - kHeaderBytes);
  return *after + 4;
}

constexpr std::array<std::pair<uint16_t, std::string_view>, 40> kTypeNames{{
    {1, "A"},       {2, "NS"},          {5, "CNAME"},  {6, "SOA"},    {10, "NULL"},   {12, "PTR"},   {13, "HINFO"},
    {15, "MX"},     {16, "TXT"},        {17, "RP"},    {18, "AFSDB"}, {24, "SIG"},    {25, "KEY"},   {28, "AAAA"},
    {29, "LOC"},    {33, "SRV"},        {35, "NAPTR"}, {36, "KX"},    {37, "CERT"},   {39, "DNAME"}, {41, "OPT"},
    {43, "DS"},     {44, "SSHFP"},      {46, "RRSIG"}, {47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},
    {53, "SMIMEA"}, {61, "OPENPGPKEY"}, {64, "SVCB"},  {65, "HTTPS"}, {99, "SPF"},    {249, "TKEY"}, {250, "TSIG"},
    {251, "IXFR"},  {252, "AXFR"},      {255, "ANY"},  {256, "URI"},  {257, "CAA"},
}};

}  // namespace

std::string type_text(uint16_t type) {
  const auto* found = std::lower_bound(kTypeNames.begin(), kTypeNames.end(), type,
                                       [](const auto& entry, uint16_t wanted) { return entry.first < wanted; });
  if (found != kTypeNames.end() && found->first == type) return std::string(found->second);
  return fmt::format("TYPE{}", type);
}

Result<void> read_query(std::string_view message, Query& query) {
  if (message.size() < kHeaderBytes) return fail("message of {} bytes has no header", message.size());
  query.header = read_header(message);
  if ((query.header.flags & kFlagResponse) != 0) return fail("a response, not a query");
  query.answerable = true;
  if (!query.is_standard()) return {};
  // RFC 9619: a standard query has exactly one question.
  if (query.header.questions != 1) return fail("{} questions", query.header.questions);
  auto offset = read_question(message, query);
  if (!offset) return failed(offset);
  if (query.header.answers != 0 || query.header.authorities != 0) {
    return fail("a query with records in its answer or authority section");
  }
  Record record;
  for (int i = 0; i < query.header.additionals; ++i) {
    offset = read_record(message, *offset, record);
    if (!offset) return failed(offset);
    if (record.type != kTypeOpt) continue;
    if (auto ok = take_opt(record, query); !ok) return ok;
  }
  if (*offset != message.size()) return fail("{} bytes after the last record", message.size() - *offset);
  return {};
}

Result<Message> read_message(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return fail("message of {} bytes has no header", bytes.size());
  Message message;
  message.header = read_header(bytes);
  Result<size_t> offset = kHeaderBytes;
  if (message.header.questions > 1) return fail("{} questions", message.header.questions);
  if (message.header.questions == 1) offset = read_question(bytes, message);
  if (!offset) return failed(offset);
  const std::pair<uint16_t, std::vector<Record>*> sections[] = {{message.header.answers, &message.answers},
                                                                {message.header.authorities, &message.authorities},
                                                                {message.header.additionals, &message.additionals}};
  for (const auto& [count, records] : sections) {
    for (int i = 0; i < count; ++i) {
      offset = read_record(bytes, *offset, records->emplace_back());
      if (!offset) return failed(offset);
    }
  }
  if (*offset != bytes.size()) return fail("{} bytes after the last record", bytes.size() - *offset);
  return message;
}

}  // namespace gatehouse::dns
