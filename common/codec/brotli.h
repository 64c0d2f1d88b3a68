// Brotli (RFC 7932), without large windows. It has neither magic nor checksum, so it is only ever declared.
#pragma once

#include <brotli/decode.h>

#include "common/codec/codec.h"

namespace gatehouse {

// Of one stream, its window included. What encoders make of content up to 8 MiB fits, whatever window they declare.
inline constexpr size_t kMaxBrotliBytes = 10 * 1024 * 1024;

class Brotli : public Codec {
 public:
  Brotli();
  ~Brotli() override;
  Brotli(const Brotli&) = delete;
  Brotli& operator=(const Brotli&) = delete;

  Step decode(std::string_view bytes, ByteSink& sink) override;
  bool complete() const override { return done_; }
  std::string_view error() const override { return error_; }

 private:
  static void* allocate(void* self, size_t size);
  static void release(void* self, void* address);

  BrotliDecoderState* state_ = nullptr;
  size_t allocated_ = 0;
  bool done_ = false;
  std::string_view error_;
};

}  // namespace gatehouse
