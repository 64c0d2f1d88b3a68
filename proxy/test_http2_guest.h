// For tests: a guest's connection in HTTP/2, as a transcript of frames.
#pragma once

#include "proxy/http2_frames.h"
#include "proxy/test_world.h"

namespace gatehouse::proxy {

class Http2GuestTest : public SessionTest {
 protected:
  void begin() {
    dial();
    reader_ = std::make_unique<FrameReader>();
    frames_.clear();
    say(std::string(kClientPreface) + frame(NGHTTP2_SETTINGS, 0, 0) + frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0));
  }
  void again() {
    restart();
    wire_ = {};
    begin();
  }
  void say(std::string_view bytes) {
    session_->on_bytes(bytes);
    hear();
  }
  // What has been said to the guest until now.
  void hear() {
    for (auto& next : reader_->read(std::exchange(world_->to_guest, {}))) frames_.push_back(std::move(next));
  }
  void let_through() {
    world_->answer_commit();
    world_->answer_open(wire_);
    hear();
  }
  std::string header(uint32_t stream, std::string_view name) const {
    for (const auto& one : frames_) {
      if (one.type != NGHTTP2_HEADERS || one.stream != stream) continue;
      if (const auto* field = find_field(one.fields, name)) return field->value;
    }
    return "";
  }
  std::string body(uint32_t stream) const {
    std::string all;
    for (const auto& one : frames_) {
      if (one.type == NGHTTP2_DATA && one.stream == stream) all += one.payload;
    }
    return all;
  }
  const Frame* find(uint8_t type, uint32_t stream) const {
    for (const auto& one : frames_) {
      if (one.type == type && one.stream == stream) return &one;
    }
    return nullptr;
  }
  bool ended(uint32_t stream) const {
    for (const auto& one : frames_) {
      const bool message = one.type == NGHTTP2_DATA || one.type == NGHTTP2_HEADERS;
      if (message && one.stream == stream && one.flags & kEndStream) return true;
    }
    return false;
  }

  std::unique_ptr<FrameReader> reader_;
  std::vector<Frame> frames_;
};

}  // namespace gatehouse::proxy
