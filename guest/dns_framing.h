// DNS messages on a stream: each after its length in two octets (RFC 7766 section 8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::guest {

// `message` is at most kMaxDnsMessageBytes.
std::string frame_dns(std::string_view message);

class DnsFrameReader {
 public:
  void feed(std::string_view bytes) { buffer_ += bytes; }
  // The next whole message, without its length; nothing while it is incomplete. At most 64 KiB are held back.
  std::optional<std::string> next();

 private:
  std::string buffer_;
  size_t read_ = 0;
};

}  // namespace gatehouse::guest
