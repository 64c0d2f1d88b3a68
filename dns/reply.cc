#include "dns/reply.h"

#include <algorithm>
#include <cassert>

namespace gatehouse::dns {

namespace {

using namespace std::string_view_literals;

constexpr uint16_t kPointerToQuestion = 0xc000 | kHeaderBytes;
constexpr size_t kOptBytes = 11;        // an OPT record without options
constexpr size_t kOptionHeadBytes = 4;  // OPTION-CODE, OPTION-LENGTH
constexpr uint16_t kOptionExtendedError = 15;
constexpr uint16_t kDnssecOk = 0x8000;

// RDATA of our SOA (RFC 1035 section 3.3.13). Its owner is the root, which is above every name, so that one record
// serves all;
// ".invalid" (RFC 6761) can be nobody's.
constexpr auto kSoaNames = "\x09gatehouse\x07invalid\0\x0ahostmaster\x09gatehouse\x07invalid\0"sv;
constexpr uint32_t kSoaSerial = 1, kSoaRefresh = 3600, kSoaRetry = 600, kSoaExpire = 86400;

// Character strings "RFC8482" and "" (RFC 8482 section 4.2).
constexpr auto kAnyData = "\7RFC8482\0"sv;

class Writer {
 public:
  explicit Writer(ReplyBuffer& buffer) : buffer_(buffer) {}
  void u8(unsigned value) { buffer_[size_++] = static_cast<char>(value); }
  void u16(unsigned value) {
    u8(value >> 8);
    u8(value & 0xff);
  }
  void u32(uint32_t value) {
    u16(value >> 16);
    u16(value & 0xffff);
  }
  void bytes(std::string_view bytes) {
    assert(bytes.size() <= buffer_.size() - size_);
    std::copy(bytes.begin(), bytes.end(), buffer_.begin() + size_);
    size_ += bytes.size();
  }
  void answer(uint16_t type, std::string_view data) {
    u16(kPointerToQuestion);
    u16(type);
    u16(kClassIn);
    u32(kAnswerTtl.count());
    u16(static_cast<unsigned>(data.size()));
    bytes(data);
  }
  void soa() {
    u8(0);
    u16(kTypeSoa);
    u16(kClassIn);
    u32(kNegativeTtl.count());
    u16(static_cast<unsigned>(kSoaNames.size() + 5 * 4));
    bytes(kSoaNames);
    for (const uint32_t value : {kSoaSerial, kSoaRefresh, kSoaRetry, kSoaExpire, uint32_t{kNegativeTtl.count()}})
      u32(value);
  }
  size_t size() const { return size_; }
  std::string_view written() const { return {buffer_.data(), size_}; }
  void cut(size_t size) { size_ = size; }
  void patch_u16(size_t at, uint16_t value) {
    buffer_[at] = static_cast<char>(value >> 8);
    buffer_[at + 1] = static_cast<char>(value & 0xff);
  }

 private:
  ReplyBuffer& buffer_;
  size_t size_ = 0;
};

size_t most_bytes(const Query& query, Transport transport) {
  if (transport == Transport::stream) return kMaxUdpBytes;
  // RFC 6891 section 6.2.3: less than 512 counts as 512.
  const size_t offered = query.edns ? query.edns->udp_bytes : kMinUdpBytes;
  return std::clamp(offered, kMinUdpBytes, kMaxUdpBytes);
}

struct Counts {
  uint16_t answers = 0;
  uint16_t authorities = 0;
};

Counts write_records(const Reply& reply, Writer& out) {
  switch (reply.content) {
    case Reply::Content::nothing:
      return {};
    case Reply::Content::address:
      out.answer(kTypeA, reply.address.octets());
      return {1, 0};
    case Reply::Content::pointer:
      out.answer(kTypePtr, reply.target);
      return {1, 0};
    case Reply::Content::any:
      out.answer(kTypeHinfo, kAnyData);
      return {1, 0};
    case Reply::Content::negative:
      out.soa();
      return {0, 1};
  }
  return {};
}

void write_opt(const Query& query, const Reply& reply, size_t room, Writer& out) {
  const bool error_fits = reply.error && room >= kOptBytes + kOptionHeadBytes + 2;
  std::string_view text;
  if (error_fits && room >= kOptBytes + kOptionHeadBytes + 2 + reply.error->text.size()) text = reply.error->text;
  out.u8(0);
  out.u16(kTypeOpt);
  out.u16(kMaxUdpBytes);
  out.u8(static_cast<unsigned>(reply.rcode) >> 4);
  out.u8(0);                                       // version
  out.u16(query.edns->dnssec_ok ? kDnssecOk : 0);  // RFC 3225 section 3: DO is copied
  out.u16(error_fits ? static_cast<unsigned>(kOptionHeadBytes + 2 + text.size()) : 0);
  if (!error_fits) return;
  out.u16(kOptionExtendedError);
  out.u16(static_cast<unsigned>(2 + text.size()));
  out.u16(static_cast<unsigned>(reply.error->code));
  out.bytes(text);
}

}  // namespace

std::string_view to_string(Rcode rcode) {
  switch (rcode) {
    case Rcode::noerror:
      return "NOERROR";
    case Rcode::formerr:
      return "FORMERR";
    case Rcode::servfail:
      return "SERVFAIL";
    case Rcode::nxdomain:
      return "NXDOMAIN";
    case Rcode::notimp:
      return "NOTIMP";
    case Rcode::refused:
      return "REFUSED";
    case Rcode::badvers:
      return "BADVERS";
  }
  return "SERVFAIL";
}

std::string_view write_reply(const Query& query, const Reply& reply, Transport transport, ReplyBuffer& buffer) {
  const size_t limit = most_bytes(query, transport);
  const size_t opt_bytes = query.edns ? kOptBytes : 0;
  uint16_t flags = kFlagResponse | kFlagRecursionAvailable;
  flags |= query.header.flags & (kOpcodeMask | kFlagRecursionDesired | kFlagCheckingDisabled);
  flags |= static_cast<uint16_t>(reply.rcode) & kRcodeMask;
  if (reply.content != Reply::Content::nothing) flags |= kFlagAuthoritative;

  Writer out(buffer);
  out.u16(query.header.id);
  out.u16(flags);
  out.u16(query.question.empty() ? 0 : 1);
  out.u16(0);
  out.u16(0);
  out.u16(query.edns ? 1 : 0);
  out.bytes(query.question);
  const size_t bare = out.size();
  const auto counts = write_records(reply, out);
  if (out.size() + opt_bytes > limit) {
    out.cut(bare);
    out.patch_u16(2, flags | kFlagTruncated);
  } else {
    out.patch_u16(6, counts.answers);
    out.patch_u16(8, counts.authorities);
  }
  if (query.edns) write_opt(query, reply, limit - out.size(), out);
  return out.written();
}

}  // namespace gatehouse::dns
