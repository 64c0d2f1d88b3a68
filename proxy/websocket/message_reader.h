// Messages out of frames: unmasked, joined, decompressed, checked. Passive; keeps nothing of a message but what a
// control frame may hold.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/websocket/frame.h"
#include "proxy/websocket/message_inflate.h"
#include "proxy/websocket/utf8_check.h"

namespace gatehouse::proxy {

class MessageReader {
 public:
  struct Options {
    Sender sender = Sender::client;
    bool deflate = false;      // permessage-deflate was agreed upon
    bool takeover = false;     // and messages may refer to those before them
    uint64_t max_message = 0;  // bytes, decompressed
  };
  struct Event {
    enum class Kind {
      need_more,  // all input is consumed
      data,       // `bytes` of the message under way, never empty
      message,    // it is over
      control,    // a whole one, `bytes` its payload
    };
    Kind kind = Kind::need_more;
    size_t consumed = 0;
    Opcode opcode = Opcode::text;  // of the message, or the control frame
    std::string_view bytes;        // valid until the next call
  };

  explicit MessageReader(const Options& options);

  // What comes next. Refused besides what FrameHeadReader refuses: (1002) continuations of nothing, a message within a
  // message, compression that was not agreed upon, a close code that may not be sent, anything after a close frame;
  // (1007) text that is no UTF-8, what cannot be decompressed; (1009) a message over max_message.
  tl::expected<Event, WebSocketFault> next(std::string_view input);

  // Of the close frame that has come; nothing when it had none.
  const std::optional<uint16_t>& close_code() const { return close_code_; }

 private:
  enum class State { head, payload, tail, closed };
  using Next = tl::expected<Event, WebSocketFault>;

  tl::expected<void, WebSocketFault> begin_frame();
  Next read_control(std::string_view input, size_t consumed);
  Next end_control(size_t consumed);
  Next read_payload(std::string_view input, size_t consumed);
  Next inflate(size_t consumed);
  Next end_message(size_t consumed);
  Next give(std::string_view bytes, size_t consumed);
  tl::expected<void, WebSocketFault> check_close() const;

  Options options_;
  State state_ = State::head;
  FrameHeadReader head_;
  uint64_t at_ = 0;  // of the frame's payload
  std::string control_;
  std::optional<Opcode> message_;  // under way
  bool compressed_ = false;
  uint64_t size_ = 0;  // of the message, decompressed
  Utf8Check utf8_;
  std::unique_ptr<MessageInflate> inflate_;
  std::string plain_;            // unmasked piece
  std::string_view to_inflate_;  // what of it is left
  std::optional<uint16_t> close_code_;
};

}  // namespace gatehouse::proxy
