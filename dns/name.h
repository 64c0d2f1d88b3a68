// Domain names as DNS messages carry them (RFC 1035 sections 2.3, 3.1 and 4.1.4).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ip_address.h"
#include "common/base/result.h"

namespace gatehouse::dns {

inline constexpr size_t kMaxNameBytes = 255;  // RFC 1035 section 2.3.4, length octets and the root's zero included
inline constexpr size_t kMaxLabelBytes = 63;

// A name in uncompressed wire form, ASCII letters in lower case (RFC 4343), so that equal names have equal bytes. It
// owns its bytes in place: no allocation, 256 bytes a name. Default-constructed it is the root.
class Name {
 public:
  Name() = default;

  // From dotted text of letters, digits, hyphens and underscores, with or without the final dot. Anything else (empty
  // labels, escapes, over-long labels or names) is an error.
  static Result<Name> from_text(std::string_view text);

  std::string_view wire() const { return {bytes_.data(), size_}; }
  bool is_root() const { return size_ == 1; }

  // "api.example.com", without the final dot; "." for the root. Bytes that are no letter, digit, hyphen or underscore
  // come as \xNN, a dot within a label too, so that no two names share a text and any terminal can show it.
  std::string text() const;

  // True when there is at least one label and all are made of letters, digits, hyphens and underscores only: then
  // text() is what a person or a policy means by the name.
  bool is_plain() const;

  // 198.18.0.7 for 7.0.18.198.in-addr.arpa (RFC 1035 section 3.5); nothing for any other name.
  std::optional<IpAddress> reverse_v4() const;

  // Below in-addr.arpa or ip6.arpa.
  bool in_reverse_tree() const;

  bool operator==(const Name& other) const { return wire() == other.wire(); }

 private:
  friend Result<size_t> read_name(std::string_view message, size_t offset, Name& into);

  std::array<char, kMaxNameBytes> bytes_{};
  uint8_t size_ = 1;
};

// Reads the name at `offset`, following compression pointers, and returns the offset of what follows it. A pointer must
// lead to an earlier place than the last one did and behind the header, so that reading always ends. Errors: "name cut
// short", "name longer than 255 bytes", "compression pointer that leads forwards or into the header", "unknown label
// type".
Result<size_t> read_name(std::string_view message, size_t offset, Name& into);

}  // namespace gatehouse::dns
