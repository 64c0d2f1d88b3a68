// Frames of approvals, from whichever side: a message or an error, and a message that was read can be written and read
// again.
#include <cstdlib>
#include <string>

#include "common/approval/protocol.h"
#include "common/ipc/frame.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::approval;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void again(const Result<T>& read, Result<T> (*parse)(std::string_view)) {
  if (!read) return;
  const std::string frame = encode(*read);
  require(frame.size() <= ipc::kFrameHeaderBytes + ipc::kMaxFramePayloadBytes);
  const auto second = parse(std::string_view(frame).substr(ipc::kFrameHeaderBytes));
  require(second.has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipc::FrameReader frames(64 * 1024);
  frames.feed({reinterpret_cast<const char*>(data), size});
  for (;;) {
    const auto frame = frames.next();
    if (!frame || !*frame) return 0;
    const std::string& payload = (*frame)->payload;
    switch (static_cast<FrameType>((*frame)->type)) {
      case FrameType::wanted:
        again(parse_wanted(payload), parse_wanted);
        break;
      case FrameType::withdrawn:
        (void)parse_withdrawn(payload);
        break;
      case FrameType::decided:
        again(parse_decided(payload), parse_decided);
        break;
      case FrameType::pending:
        (void)parse_pending(payload);
        break;
      case FrameType::decide:
        again(parse_decide(payload), parse_decide);
        break;
      case FrameType::reply:
        again(parse_reply(payload), parse_reply);
        break;
      default:
        break;
    }
  }
}
