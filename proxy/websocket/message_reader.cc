#include "proxy/websocket/message_reader.h"

#include <algorithm>

namespace gatehouse::proxy {

namespace {

constexpr size_t kPieceBytes = 16 * 1024;  // unmasked at once

tl::unexpected<WebSocketFault> refused(uint16_t code, std::string reason) {
  return tl::unexpected(WebSocketFault{code, std::move(reason)});
}

}  // namespace

MessageReader::MessageReader(const Options& options) : options_(options), head_(options.sender) {
  if (options_.deflate) inflate_ = std::make_unique<MessageInflate>(options_.takeover);
}

MessageReader::Next MessageReader::next(std::string_view input) {
  size_t consumed = 0;
  for (;;) {
    if (state_ == State::closed) {
      if (!input.empty()) return refused(kCloseProtocolError, "something follows a close frame");
      return Event{};
    }
    if (state_ == State::head) {
      const auto taken = head_.feed(input.substr(consumed));
      if (!taken) return tl::unexpected(taken.error());
      consumed += *taken;
      if (!head_.complete()) return Event{Event::Kind::need_more, consumed, Opcode::text, {}};
      if (auto ok = begin_frame(); !ok) return tl::unexpected(ok.error());
    }
    const bool control = is_control(head_.head().opcode);
    if (state_ == State::payload && control) return read_control(input.substr(consumed), consumed);
    if (!to_inflate_.empty() || state_ == State::tail) {
      auto piece = inflate(consumed);
      if (!piece || piece->kind != Event::Kind::need_more) return piece;
    }
    if (state_ == State::payload && at_ == head_.head().length) {
      head_.next();
      if (!head_.head().fin) {
        state_ = State::head;
        continue;
      }
      if (!compressed_) return end_message(consumed);
      state_ = State::tail;
      continue;
    }
    if (consumed == input.size()) return Event{Event::Kind::need_more, consumed, Opcode::text, {}};
    auto piece = read_payload(input.substr(consumed), consumed);
    if (!piece || piece->kind != Event::Kind::need_more) return piece;
    consumed = piece->consumed;
  }
}

tl::expected<void, WebSocketFault> MessageReader::begin_frame() {
  const auto& head = head_.head();
  state_ = State::payload;
  at_ = 0;
  control_.clear();
  if (is_control(head.opcode)) return {};
  if (head.opcode == Opcode::continuation) {
    if (!message_) return refused(kCloseProtocolError, "a frame continues no message");
    if (head.compressed) return refused(kCloseProtocolError, "a continuation says that it is compressed");
  } else {
    if (message_) return refused(kCloseProtocolError, "a message begins within another one");
    if (head.compressed && !inflate_) return refused(kCloseProtocolError, "compression was not agreed upon");
    message_ = head.opcode;
    compressed_ = head.compressed;
    size_ = 0;
    utf8_.reset();
    if (compressed_) inflate_->begin_message();
  }
  if (!compressed_ && head.length > options_.max_message - size_) return refused(kCloseTooBig, "a message is too long");
  return {};
}

MessageReader::Next MessageReader::read_control(std::string_view input, size_t consumed) {
  const auto& head = head_.head();
  const auto piece = input.substr(0, head.length - at_);
  control_ += piece;
  if (head.key) mask(control_.data() + at_, piece.size(), *head.key, at_);
  at_ += piece.size();
  consumed += piece.size();
  if (at_ < head.length) return Event{Event::Kind::need_more, consumed, Opcode::text, {}};
  return end_control(consumed);
}

MessageReader::Next MessageReader::end_control(size_t consumed) {
  const Opcode opcode = head_.head().opcode;
  head_.next();
  state_ = State::head;
  if (opcode == Opcode::close) {
    if (auto ok = check_close(); !ok) return tl::unexpected(ok.error());
    if (!control_.empty()) {
      close_code_ = static_cast<uint16_t>(static_cast<uint8_t>(control_[0]) << 8 | static_cast<uint8_t>(control_[1]));
    }
    state_ = State::closed;
  }
  return Event{Event::Kind::control, consumed, opcode, control_};
}

// RFC 6455 section 5.5.1.
tl::expected<void, WebSocketFault> MessageReader::check_close() const {
  if (control_.empty()) return {};
  if (control_.size() == 1) return refused(kCloseProtocolError, "a close frame has half a code");
  const auto code = static_cast<uint16_t>(static_cast<uint8_t>(control_[0]) << 8 | static_cast<uint8_t>(control_[1]));
  if (!is_sendable_close_code(code)) return refused(kCloseProtocolError, "a close code may not be sent");
  Utf8Check reason;
  if (!reason.feed(std::string_view(control_).substr(2)) || !reason.complete()) {
    return refused(kCloseInvalidData, "the reason of a close frame is no UTF-8");
  }
  return {};
}

MessageReader::Next MessageReader::read_payload(std::string_view input, size_t consumed) {
  const auto& head = head_.head();
  const size_t size = static_cast<size_t>(std::min<uint64_t>({input.size(), head.length - at_, kPieceBytes}));
  plain_.assign(input.substr(0, size));
  if (head.key) mask(plain_.data(), size, *head.key, at_);
  at_ += size;
  consumed += size;
  if (!compressed_) return give(plain_, consumed);
  to_inflate_ = plain_;
  return Event{Event::Kind::need_more, consumed, Opcode::text, {}};
}

// One piece of what comes out, if something does.
MessageReader::Next MessageReader::inflate(size_t consumed) {
  for (;;) {
    const bool tail = state_ == State::tail && to_inflate_.empty();
    const auto step = tail ? inflate_->finish() : inflate_->inflate(to_inflate_);
    if (!step.ok) return refused(kCloseInvalidData, "a message cannot be decompressed");
    if (!tail) to_inflate_.remove_prefix(step.used);
    if (!step.bytes.empty()) return give(step.bytes, consumed);
    if (tail && step.used == 0) return end_message(consumed);
    if (!tail && (to_inflate_.empty() || step.used == 0)) break;
  }
  if (!to_inflate_.empty()) return refused(kCloseInvalidData, "a message cannot be decompressed");
  return Event{Event::Kind::need_more, consumed, Opcode::text, {}};
}

MessageReader::Next MessageReader::give(std::string_view bytes, size_t consumed) {
  if (bytes.size() > options_.max_message - size_) return refused(kCloseTooBig, "a message is too long");
  size_ += bytes.size();
  if (*message_ == Opcode::text && !utf8_.feed(bytes)) return refused(kCloseInvalidData, "a text is no UTF-8");
  return Event{Event::Kind::data, consumed, *message_, bytes};
}

MessageReader::Next MessageReader::end_message(size_t consumed) {
  const Opcode opcode = *message_;
  if (opcode == Opcode::text && !utf8_.complete()) return refused(kCloseInvalidData, "a text is no UTF-8");
  message_.reset();
  state_ = State::head;
  return Event{Event::Kind::message, consumed, opcode, {}};
}

}  // namespace gatehouse::proxy
