// The bytes after the first are a frame stream. However it is cut into pieces, the same frames and the same verdict
// come out; writing the frames again gives back the bytes that were read; an agent payload that is accepted survives
// being written and read once more.
#include "common/ipc/frame.h"

#include <cstdlib>

#include "common/ipc/agent_protocol.h"

using namespace gatehouse;
using namespace gatehouse::ipc;

namespace {

constexpr size_t kMaxPayloadBytes = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reading {
  std::string frames;  // encoded again
  bool broken = false;
};

Reading read(std::string_view stream, size_t piece) {
  FrameReader reader(kMaxPayloadBytes);
  Reading reading;
  for (size_t at = 0; at < stream.size(); at += piece) {
    reader.feed(stream.substr(at, piece));
    for (;;) {
      auto frame = reader.next();
      if (!frame) {
        reading.broken = true;
        return reading;
      }
      if (!*frame) break;
      require((*frame)->payload.size() <= kMaxPayloadBytes);
      append_frame(reading.frames, (*frame)->type, (*frame)->payload);
    }
  }
  require(reader.at_boundary() == (reading.frames.size() == stream.size()));
  return reading;
}

template <class T>
void require_stable(const Result<T>& decoded, Result<T> (*decode)(std::string_view)) {
  if (!decoded) return;
  const std::string once = encode(*decoded);
  const auto again = decode(once);
  require(again.has_value() && encode(*again) == once);
}

void check_payload(std::string_view payload) {
  require_stable(decode_boot(payload), decode_boot);
  require_stable(decode_terminal_size(payload), decode_terminal_size);
  require_stable(decode_exit(payload), decode_exit);
  const auto exec = decode_exec(payload);
  require_stable(exec, decode_exec);
  if (exec) {
    require(!exec->argv.empty());
    for (const std::string& argument : exec->argv) require(argument.find('\0') == std::string::npos);
  }
  if (const auto number = decode_signal(payload)) require(*number >= 1 && *number <= 64);
  (void)decode_hello(payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = 1 + data[0];
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Reading whole = read(stream, stream.size() + 1);
  const Reading pieces = read(stream, piece);
  require(whole.frames == pieces.frames && whole.broken == pieces.broken);
  require(stream.substr(0, whole.frames.size()) == whole.frames);
  check_payload(stream);
  return 0;
}
