#include "proxy/ptr_message.h"

#include <cassert>

namespace gatehouse::proxy {

namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kMaxNameBytes = 253;  // as text, without the final dot
constexpr uint16_t kTypePtr = 12;
constexpr uint16_t kClassIn = 1;
constexpr uint16_t kResponse = 0x8000;
constexpr uint16_t kTruncated = 0x0200;
constexpr uint16_t kRcodeMask = 0x000f;
constexpr uint16_t kNoError = 0;
constexpr uint16_t kNxDomain = 3;

void append_u16(std::string& out, uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

void append_label(std::string& out, std::string_view label) {
  out += static_cast<char>(label.size());
  out += label;
}

// Reads a message from front to back; a read past its end fails and leaves failed() set.
class Cursor {
 public:
  explicit Cursor(std::string_view message) : message_(message) {}

  bool failed() const { return failed_; }
  size_t position() const { return at_; }
  void skip(size_t bytes) { take(bytes); }
  uint8_t u8() {
    const auto bytes = take(1);
    return bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
  }
  uint16_t u16() {
    const uint16_t high = u8();
    return static_cast<uint16_t>(high << 8 | u8());
  }

  // RFC 1035 section 4.1.4. A pointer must lead to before the name it stands in, so that no chain can loop.
  std::string name() {
    std::string text;
    size_t resume = 0;
    size_t begin = at_;
    for (;;) {
      const uint8_t length = u8();
      if (failed_ || length == 0) break;
      if ((length & 0xc0) == 0xc0) {
        const size_t target = static_cast<size_t>(length & 0x3f) << 8 | u8();
        if (failed_ || target >= begin) return fail_here();
        if (resume == 0) resume = at_;
        begin = at_ = target;
        continue;
      }
      if ((length & 0xc0) != 0) return fail_here();
      if (!text.empty()) text += '.';
      text += take(length);
      if (failed_ || text.size() > kMaxNameBytes) return fail_here();
    }
    if (resume != 0) at_ = resume;
    return text;
  }

 private:
  std::string_view take(size_t bytes) {
    if (failed_ || message_.size() - at_ < bytes) {
      failed_ = true;
      return {};
    }
    at_ += bytes;
    return message_.substr(at_ - bytes, bytes);
  }
  std::string fail_here() {
    failed_ = true;
    return {};
  }

  std::string_view message_;
  size_t at_ = 0;
  bool failed_ = false;
};

Result<std::string> host_name(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) {
      return fail("the PTR record holds no host name");
    }
  }
  if (name.empty()) return fail("the PTR record holds no host name");
  return name;
}

}  // namespace

std::string encode_ptr_query(uint16_t id, const IpAddress& address) {
  assert(address.is_v4());
  std::string query;
  append_u16(query, id);
  append_u16(query, 0);  // a plain query, no recursion wanted
  append_u16(query, 1);  // one question
  query.append(6, '\0');
  const auto octets = address.octets();
  for (size_t i = octets.size(); i-- > 0;) append_label(query, std::to_string(static_cast<unsigned char>(octets[i])));
  append_label(query, "in-addr");
  append_label(query, "arpa");
  query += '\0';
  append_u16(query, kTypePtr);
  append_u16(query, kClassIn);
  return query;
}

Result<PtrAnswer> decode_ptr_answer(std::string_view message) {
  if (message.size() < kHeaderBytes) return fail("shorter than a DNS header");
  Cursor cursor(message);
  PtrAnswer answer;
  answer.id = cursor.u16();
  const uint16_t flags = cursor.u16();
  const uint16_t questions = cursor.u16();
  const uint16_t answers = cursor.u16();
  cursor.skip(4);
  if ((flags & kResponse) == 0 || (flags & kTruncated) != 0) return fail("not a whole response");
  const uint16_t rcode = flags & kRcodeMask;
  if (rcode == kNxDomain) return answer;
  if (rcode != kNoError) return fail("rcode {}", rcode);
  for (int i = 0; i < questions && !cursor.failed(); ++i) {
    cursor.name();
    cursor.skip(4);
  }
  for (int i = 0; i < answers && !cursor.failed(); ++i) {
    cursor.name();
    const uint16_t type = cursor.u16();
    const uint16_t klass = cursor.u16();
    cursor.skip(4);  // TTL
    const uint16_t length = cursor.u16();
    if (type != kTypePtr || klass != kClassIn) {
      cursor.skip(length);
      continue;
    }
    const size_t end = cursor.position() + length;
    auto name = host_name(cursor.name());
    if (cursor.failed() || cursor.position() != end) break;
    if (!name) return failed(name);
    answer.name = std::move(*name);
    return answer;
  }
  if (cursor.failed() || answers != 0) return fail("malformed response");
  return answer;
}

}  // namespace gatehouse::proxy
