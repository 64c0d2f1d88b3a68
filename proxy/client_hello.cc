#include "proxy/client_hello.h"

#include <openssl/tls1.h>

#include <algorithm>
#include <vector>

#include "proxy/tls_session.h"

namespace gatehouse::proxy {

namespace {

constexpr unsigned kHandshakeRecord = 22;
constexpr unsigned kMajorVersion = 3;
constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kMaxRecordBytes = 1 << 14;
constexpr unsigned kClientHelloType = 1;
constexpr size_t kMessageHeaderBytes = 4;
constexpr size_t kVersionAndRandomBytes = 2 + 32;
constexpr size_t kMaxSessionIdBytes = 32;
constexpr unsigned kEncryptedClientHello = 0xfe0d;  // RFC 9849 section 11.1
constexpr unsigned kEncryptedServerName = 0xffce;   // its forerunner, draft-ietf-tls-esni-02

unsigned byte_at(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }
unsigned u16_at(std::string_view bytes, size_t at) { return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1); }

// Takes pieces off the front; once one is not there, nothing is any more.
class Pieces {
 public:
  explicit Pieces(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(size_t size) {
    ok_ = ok_ && size <= rest_.size();
    const auto piece = ok_ ? rest_.substr(0, size) : std::string_view();
    if (ok_) rest_.remove_prefix(size);
    return piece;
  }
  unsigned number(size_t size) {
    const auto piece = take(size);
    if (!ok_) return 0;
    return size == 1 ? byte_at(piece, 0) : u16_at(piece, 0);
  }
  // What follows its length of so many bytes.
  std::string_view vector(size_t length_size) { return take(number(length_size)); }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// The message out of its records.
Result<std::optional<std::string>> join_records(std::string_view bytes) {
  std::string message;
  for (size_t records = 1;; ++records) {
    // As much of the header as is there must be right, so that nobody waits for the rest of something else.
    if (!bytes.empty() && byte_at(bytes, 0) != kHandshakeRecord) return fail("a record that is no handshake");
    if (bytes.size() > 1 && byte_at(bytes, 1) != kMajorVersion) return fail("a record of no known version");
    if (records > kMaxClientHelloRecords) return fail("in more than {} records", kMaxClientHelloRecords);
    if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
    const size_t size = u16_at(bytes, 3);
    if (size == 0 || size > kMaxRecordBytes) return fail("a record of {} bytes", size);
    const auto piece = bytes.substr(kRecordHeaderBytes, size);
    message += piece;
    if (!message.empty() && byte_at(message, 0) != kClientHelloType) return fail("no ClientHello");
    if (message.size() >= kMessageHeaderBytes) {
      const size_t length = kMessageHeaderBytes + (byte_at(message, 1) << 16 | u16_at(message, 2));
      if (length > kMaxClientHelloBytes) return fail("of {} bytes, over the limit of {}", length, kMaxClientHelloBytes);
      if (message.size() - piece.size() + size > length) return fail("followed by something else in its record");
      if (message.size() == length) return message;
    }
    if (piece.size() < size) return std::nullopt;
    bytes.remove_prefix(kRecordHeaderBytes + size);
  }
}

Result<void> read_extensions(std::string_view bytes, ClientHello& hello) {
  Pieces pieces(bytes);
  std::vector<unsigned> seen;
  while (!pieces.at_end()) {
    const unsigned type = pieces.number(2);
    const auto body = pieces.vector(2);
    if (!pieces.ok()) return fail("its extensions do not add up");
    if (std::find(seen.begin(), seen.end(), type) != seen.end()) return fail("extension {} is there twice", type);
    seen.push_back(type);
    if (seen.size() > kMaxClientHelloExtensions) return fail("more than {} extensions", kMaxClientHelloExtensions);
    if (type == kEncryptedClientHello || type == kEncryptedServerName) hello.encrypted = true;
    if (type != TLSEXT_TYPE_server_name) continue;
    auto name = read_server_name(body);
    if (!name) return failed(name);
    hello.server_name = std::move(*name);
  }
  return {};
}

}  // namespace

Result<std::optional<ClientHello>> read_client_hello(std::string_view bytes) {
  const auto message = join_records(bytes);
  if (!message) return failed(message);
  if (!*message) return std::nullopt;
  Pieces pieces(std::string_view(**message).substr(kMessageHeaderBytes));
  pieces.take(kVersionAndRandomBytes);
  const auto session_id = pieces.vector(1);
  const auto ciphers = pieces.vector(2);
  const auto compressions = pieces.vector(1);
  if (!pieces.ok() || session_id.size() > kMaxSessionIdBytes || ciphers.empty() || ciphers.size() % 2 != 0 ||
      compressions.empty()) {
    return fail("its parts do not add up");
  }
  ClientHello hello;
  if (pieces.at_end()) return hello;  // without extensions (RFC 5246 section 7.4.1.2)
  const auto extensions = pieces.vector(2);
  if (!pieces.at_end()) return fail("its parts do not add up");
  if (auto ok = read_extensions(extensions, hello); !ok) return failed(ok);
  return hello;
}

}  // namespace gatehouse::proxy
