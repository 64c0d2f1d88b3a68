#include "guest/dns_framing.h"

#include <cassert>

#include "guest/dns_message.h"

namespace gatehouse::guest {

std::string frame_dns(std::string_view message) {
  assert(message.size() <= kMaxDnsMessageBytes);
  std::string framed;
  framed.reserve(2 + message.size());
  framed += static_cast<char>(message.size() >> 8);
  framed += static_cast<char>(message.size() & 0xff);
  framed += message;
  return framed;
}

std::optional<std::string> DnsFrameReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(read_);
  const size_t length = rest.size() < 2 ? 0
                                        : static_cast<size_t>(static_cast<unsigned char>(rest[0])) << 8 |
                                              static_cast<unsigned char>(rest[1]);
  if (rest.size() < 2 || rest.size() - 2 < length) {
    buffer_.erase(0, read_);
    read_ = 0;
    return std::nullopt;
  }
  read_ += 2 + length;
  return std::string(rest.substr(2, length));
}

}  // namespace gatehouse::guest
