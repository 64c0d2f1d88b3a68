#include "common/reload/protocol.h"

#include "common/ipc/frame.h"

namespace gatehouse::reload {

std::string encode(FrameType type, std::string_view payload) {
  return ipc::encode_frame(static_cast<uint8_t>(type), payload.substr(0, ipc::kMaxFramePayloadBytes));
}

std::string encode_proposal(std::string_view snapshot) {
  std::string frames;
  for (; !snapshot.empty(); snapshot.remove_prefix(std::min(snapshot.size(), ipc::kMaxFramePayloadBytes))) {
    frames += encode(FrameType::piece, snapshot);
  }
  return frames + encode(FrameType::propose);
}

}  // namespace gatehouse::reload
