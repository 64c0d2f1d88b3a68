// The vhost-user messages: QEMU's docs/interop/vhost-user.rst. Reading only cuts the byte stream into messages and
// checks lengths; what they mean is the device's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace gatehouse::bridge {

enum class VhostRequest : uint32_t {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  reset_owner = 4,
  set_mem_table = 5,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  get_vring_base = 11,
  set_vring_kick = 12,
  set_vring_call = 13,
  set_vring_err = 14,
  get_protocol_features = 15,
  set_protocol_features = 16,
  set_vring_enable = 18,
  get_config = 24,
  set_config = 25,
};
std::string to_string(VhostRequest request);

inline constexpr size_t kVhostHeaderBytes = 12;
inline constexpr size_t kMaxVhostPayloadBytes = 4096;  // the largest known, a memory table, has 264
inline constexpr size_t kMaxVhostFds = 8;              // one a memory region

struct VhostMessage {
  VhostRequest request{};
  bool needs_ack = false;  // answered with a u64, 0 for success, if the protocol feature was agreed on
  std::string payload;
  std::vector<Fd> fds;
};

// Cuts a stream into messages. The caller reads wanted() bytes at most at a time, so that descriptors that come with
// the next message cannot be taken for this one's.
class VhostReader {
 public:
  size_t wanted() const;
  // Takes what was read. Returns a message once it is whole; refuses another version, a reply, an oversize payload, and
  // more than kMaxVhostFds descriptors.
  Result<std::optional<VhostMessage>> add(std::string_view bytes, std::vector<Fd> fds);

 private:
  Result<void> check_header();
  std::string bytes_;
  std::vector<Fd> fds_;
  bool header_read_ = false;
  uint32_t payload_bytes_ = 0;
};

// The reply to `request` with this payload.
std::string vhost_reply(VhostRequest request, std::string_view payload);

}  // namespace gatehouse::bridge
