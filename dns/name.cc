#include "dns/name.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "dns/message.h"

namespace gatehouse::dns {

namespace {

constexpr uint8_t kLabelTypeMask = 0xc0;  // RFC 1035 section 4.1.4: 00 is a label, 11 a pointer, 01 and 10 are reserved
constexpr uint8_t kPointer = 0xc0;

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

constexpr bool is_plain_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// The labels of a wire name, first to last.
class Labels {
 public:
  explicit Labels(std::string_view wire) : rest_(wire) {}
  std::optional<std::string_view> next() {
    const size_t length = static_cast<uint8_t>(rest_.front());
    if (length == 0) return std::nullopt;
    const auto label = rest_.substr(1, length);
    rest_.remove_prefix(1 + length);
    return label;
  }

 private:
  std::string_view rest_;
};

std::optional<uint8_t> decimal_octet(std::string_view label) {
  uint8_t octet = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), octet);
  if (error != std::errc() || end != label.data() + label.size()) return std::nullopt;
  if (label.size() > 1 && label.front() == '0') return std::nullopt;
  return octet;
}

using namespace std::string_view_literals;
constexpr auto kReverseV4 = "\7in-addr\4arpa\0"sv;
constexpr auto kReverseV6 = "\3ip6\4arpa\0"sv;

}  // namespace

Result<size_t> read_name(std::string_view message, size_t offset, Name& into) {
  size_t size = 0;
  size_t after = 0;         // behind the first pointer: where the caller goes on
  size_t barrier = offset;  // a pointer must lead before this
  while (true) {
    if (offset >= message.size()) return fail("name cut short");
    const auto length = static_cast<uint8_t>(message[offset]);
    if ((length & kLabelTypeMask) == kPointer) {
      if (offset + 1 >= message.size()) return fail("name cut short");
      const size_t target = (length & ~kLabelTypeMask) << 8 | static_cast<uint8_t>(message[offset + 1]);
      if (target >= barrier || target < kHeaderBytes) {
        return fail("compression pointer that leads forwards or into the header");
      }
      if (after == 0) after = offset + 2;
      offset = barrier = target;
      continue;
    }
    if ((length & kLabelTypeMask) != 0) return fail("unknown label type");
    if (offset + 1 + length > message.size()) return fail("name cut short");
    // Room for this label and for the zero byte that must still come.
    if (size + 1 + length + (length == 0 ? 0 : 1) > kMaxNameBytes) return fail("name longer than 255 bytes");
    into.bytes_[size] = message[offset];
    for (size_t i = 1; i <= length; ++i) into.bytes_[size + i] = lower(message[offset + i]);
    size += 1 + length;
    offset += 1 + length;
    if (length == 0) break;
  }
  into.size_ = static_cast<uint8_t>(size);
  return after == 0 ? offset : after;
}

Result<Name> Name::from_text(std::string_view text) {
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  Name name;
  size_t size = 0;
  while (true) {
    const auto label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kMaxLabelBytes) return fail("'{}': a label of 1 to 63 bytes expected", text);
    if (size + 1 + label.size() + 1 > kMaxNameBytes) return fail("name longer than 255 bytes");
    name.bytes_[size++] = static_cast<char>(label.size());
    for (const char c : label) {
      if (!is_plain_character(lower(c))) return fail("'{}': not a plain host name", text);
      name.bytes_[size++] = lower(c);
    }
    if (label.size() == text.size()) break;
    text.remove_prefix(label.size() + 1);
  }
  name.bytes_[size++] = 0;
  name.size_ = static_cast<uint8_t>(size);
  return name;
}

std::string Name::text() const {
  if (is_root()) return ".";
  std::string text;
  text.reserve(size_);
  Labels labels(wire());
  while (const auto label = labels.next()) {
    if (!text.empty()) text += '.';
    for (const char c : *label) {
      if (is_plain_character(c)) {
        text += c;
      } else {
        text += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
      }
    }
  }
  return text;
}

bool Name::is_plain() const {
  Labels labels(wire());
  while (const auto label = labels.next()) {
    if (!std::all_of(label->begin(), label->end(), is_plain_character)) return false;
  }
  return !is_root();
}

std::optional<IpAddress> Name::reverse_v4() const {
  std::array<uint8_t, 4> octets;
  Labels labels(wire());
  size_t used = 0;
  for (size_t i = 0; i < octets.size(); ++i) {
    const auto label = labels.next();
    if (!label) return std::nullopt;
    const auto octet = decimal_octet(*label);
    if (!octet) return std::nullopt;
    octets[octets.size() - 1 - i] = *octet;
    used += 1 + label->size();
  }
  if (wire().substr(used) != kReverseV4) return std::nullopt;
  return IpAddress::v4(octets);
}

bool Name::in_reverse_tree() const {
  // A suffix of the wire bytes is a suffix of the labels only at a label's start, hence the walk.
  for (std::string_view rest = wire(); rest.front() != 0; rest.remove_prefix(1 + static_cast<uint8_t>(rest.front()))) {
    if (rest == kReverseV4 || rest == kReverseV6) return true;
  }
  return false;
}

}  // namespace gatehouse::dns
