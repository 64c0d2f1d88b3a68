// The first byte chooses who sends and what was agreed upon, the second the piece size, the rest is frames. However
// they are cut, the same messages or the same fault come out, within the limit; and written anew they read the same.
#include <cstdlib>
#include <string>
#include <utility>

#include "proxy/websocket/message_reader.h"

using namespace gatehouse::proxy;

namespace {

constexpr uint64_t kLimit = 64 * 1024;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reading {
  std::string told;     // every message, as one text
  std::string written;  // and as frames of a server
  uint16_t fault = 0;
  bool operator==(const Reading&) const = default;
};

Reading read(std::string_view bytes, size_t piece, const MessageReader::Options& options) {
  MessageReader reader(options);
  Reading reading;
  std::string message;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    auto input = bytes.substr(at, piece);
    for (;;) {
      const auto event = reader.next(input);
      if (!event) {
        reading.fault = event.error().code;
        return reading;
      }
      input.remove_prefix(event->consumed);
      if (event->kind == MessageReader::Event::Kind::need_more) break;
      if (event->kind == MessageReader::Event::Kind::data) {
        require(!event->bytes.empty());
        message += event->bytes;
        require(message.size() <= kLimit);
        continue;
      }
      const bool control = event->kind == MessageReader::Event::Kind::control;
      const std::string whole = control ? std::string(event->bytes) : std::exchange(message, {});
      require(!control || whole.size() <= kMaxControlBytes);
      reading.told.append(to_string(event->opcode)).append(whole).append("\n");
      append_frame(reading.written, event->opcode, whole, Sender::server);
    }
    require(input.empty());
  }
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const MessageReader::Options options{.sender = data[0] & 1 ? Sender::server : Sender::client,
                                       .deflate = (data[0] & 2) != 0,
                                       .takeover = (data[0] & 4) != 0,
                                       .max_message = kLimit};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Reading whole = read(bytes, bytes.size(), options);
  const Reading cut = read(bytes, 1 + data[1] % 32, options);
  require(whole.fault == cut.fault && whole.told == cut.told);
  const Reading again = read(whole.written, 7, {.sender = Sender::server, .max_message = kLimit});
  require(again.fault == 0 && again.told == whole.told);
  return 0;
}
