#include "launcher/bridge/vhost_user.h"

#include <cstring>

namespace gatehouse::bridge {

namespace {

constexpr uint32_t kVersion = 1;
constexpr uint32_t kVersionMask = 3;
constexpr uint32_t kReplyFlag = 1 << 2;
constexpr uint32_t kNeedsReplyFlag = 1 << 3;

struct Header {
  uint32_t request;
  uint32_t flags;
  uint32_t size;
};
static_assert(sizeof(Header) == kVhostHeaderBytes);

Header read_header(std::string_view bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

}  // namespace

std::string to_string(VhostRequest request) {
  switch (request) {
    case VhostRequest::get_features:
      return "GET_FEATURES";
    case VhostRequest::set_features:
      return "SET_FEATURES";
    case VhostRequest::set_owner:
      return "SET_OWNER";
    case VhostRequest::reset_owner:
      return "RESET_OWNER";
    case VhostRequest::set_mem_table:
      return "SET_MEM_TABLE";
    case VhostRequest::set_vring_num:
      return "SET_VRING_NUM";
    case VhostRequest::set_vring_addr:
      return "SET_VRING_ADDR";
    case VhostRequest::set_vring_base:
      return "SET_VRING_BASE";
    case VhostRequest::get_vring_base:
      return "GET_VRING_BASE";
    case VhostRequest::set_vring_kick:
      return "SET_VRING_KICK";
    case VhostRequest::set_vring_call:
      return "SET_VRING_CALL";
    case VhostRequest::set_vring_err:
      return "SET_VRING_ERR";
    case VhostRequest::get_protocol_features:
      return "GET_PROTOCOL_FEATURES";
    case VhostRequest::set_protocol_features:
      return "SET_PROTOCOL_FEATURES";
    case VhostRequest::set_vring_enable:
      return "SET_VRING_ENABLE";
    case VhostRequest::get_config:
      return "GET_CONFIG";
    case VhostRequest::set_config:
      return "SET_CONFIG";
  }
  return fmt::format("request {}", static_cast<uint32_t>(request));
}

size_t VhostReader::wanted() const {
  return (header_read_ ? kVhostHeaderBytes + payload_bytes_ : kVhostHeaderBytes) - bytes_.size();
}

Result<std::optional<VhostMessage>> VhostReader::add(std::string_view bytes, std::vector<Fd> fds) {
  bytes_ += bytes;
  for (auto& fd : fds) fds_.push_back(std::move(fd));
  if (fds_.size() > kMaxVhostFds) return fail("more than {} descriptors with a message", kMaxVhostFds);
  if (!header_read_ && bytes_.size() == kVhostHeaderBytes) {
    if (auto ok = check_header(); !ok) return failed(ok);
  }
  if (wanted() > 0) return std::nullopt;
  const auto header = read_header(bytes_);
  VhostMessage message;
  message.request = static_cast<VhostRequest>(header.request);
  message.needs_ack = (header.flags & kNeedsReplyFlag) != 0;
  message.payload = bytes_.substr(kVhostHeaderBytes);
  message.fds = std::move(fds_);
  *this = VhostReader();
  return message;
}

Result<void> VhostReader::check_header() {
  const auto header = read_header(bytes_);
  if ((header.flags & kVersionMask) != kVersion) return fail("vhost-user version {}", header.flags & kVersionMask);
  if ((header.flags & kReplyFlag) != 0) return fail("a reply nobody asked for");
  if (header.size > kMaxVhostPayloadBytes) return fail("a message of {} bytes", header.size);
  header_read_ = true;
  payload_bytes_ = header.size;
  return {};
}

std::string vhost_reply(VhostRequest request, std::string_view payload) {
  const Header header{static_cast<uint32_t>(request), kVersion | kReplyFlag, static_cast<uint32_t>(payload.size())};
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes.append(payload);
}

}  // namespace gatehouse::bridge
