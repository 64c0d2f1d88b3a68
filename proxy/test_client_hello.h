// ClientHellos made to order, for tests.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::proxy {

inline std::string big_endian(size_t number, size_t bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(number >> (8 * bytes) & 0xff);
  return text;
}
inline std::string with_length(std::string_view body, size_t bytes) {
  return big_endian(body.size(), bytes) + std::string(body);
}

// The body of a server_name extension.
inline std::string sni_body(std::string_view name) {
  return with_length(std::string(1, '\0') + with_length(name, 2), 2);
}

using Extensions = std::vector<std::pair<unsigned, std::string>>;

// The handshake message.
inline std::string hello_message(const Extensions& extensions) {
  std::string list;
  for (const auto& [type, body] : extensions) list += big_endian(type, 2) + with_length(body, 2);
  const std::string body = "\x03\x03" + std::string(32, 'r') + with_length("", 1) + with_length("\x13\x01", 2) +
                           with_length(std::string(1, '\0'), 1) + with_length(list, 2);
  return "\x01" + with_length(body, 3);
}

// In records of at most `most` bytes.
inline std::string in_records(std::string_view message, size_t most = 1 << 14) {
  std::string records;
  for (; !message.empty(); message.remove_prefix(std::min(most, message.size()))) {
    records += std::string("\x16\x03\x01") + with_length(message.substr(0, most), 2);
  }
  return records;
}

inline constexpr unsigned kSniExtension = 0;
inline constexpr unsigned kEchExtension = 0xfe0d;

inline std::string hello_for(std::string_view name) {
  return in_records(hello_message({{kSniExtension, sni_body(name)}}));
}
// As browsers send it to servers of which they know nothing: the inner hello is noise.
inline std::string hello_with_ech(std::string_view name) {
  return in_records(hello_message({{kEchExtension, std::string(200, 'e')}, {kSniExtension, sni_body(name)}}));
}

}  // namespace gatehouse::proxy
