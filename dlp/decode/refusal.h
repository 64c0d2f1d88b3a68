// In place of something declared that nothing here can open.
#pragma once

#include <string>
#include <string_view>

#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"

namespace gatehouse::dlp {

// A fault at the first byte: no bytes at all are no harm. `reason` is a literal.
class Refusal : public Follower {
 public:
  Refusal(DecoderHost& host, std::string kind, std::string_view reason)
      : host_(host), kind_(std::move(kind)), reason_(reason) {}
  bool feed(std::string_view bytes) override {
    if (bytes.empty()) return true;
    host_.fault(kind_, reason_);
    return false;
  }
  void finish() override {}

 private:
  DecoderHost& host_;
  std::string kind_;
  std::string_view reason_;
};

}  // namespace gatehouse::dlp
