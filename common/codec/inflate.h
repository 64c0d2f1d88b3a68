// Deflate (RFC 1951) bare, in zlib's (RFC 1950) and in gzip's (RFC 1952) wrapping.
#pragma once

#include <zlib.h>

#include <array>

#include "common/codec/codec.h"

namespace gatehouse {

// Wrapping is read as leniently as lenient readers do, since what some reader takes may carry a secret: a gzip header's
// reserved flags, extra flags and header checksum are not judged. The trailer's checksum and length are: all data has
// been handed on by then.
class Inflate : public Codec {
 public:
  enum class Format {
    gzip,     // one or more members, one after the other
    zlib,     // without a preset dictionary
    raw,      // one deflate stream
    deflate,  // HTTP's: zlib or raw, whichever its first two bytes say (RFC 9110 section 8.4.1.2)
  };

  explicit Inflate(Format format);
  ~Inflate() override;
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;

  Step decode(std::string_view bytes, ByteSink& sink) override;
  bool complete() const override { return stage_ == Stage::over || stage_ == Stage::between; }
  uint64_t frame_start() const override { return frame_start_; }
  std::string_view error() const override { return error_; }

  // Two bytes that can begin a zlib stream: method deflate, a window of up to 32 KiB, the header's checksum right, no
  // dictionary.
  static bool is_zlib_header(uint8_t first, uint8_t second);

 private:
  enum class Stage {
    zlib_header,
    gzip_header,
    extra_size,
    extra,
    name,
    comment,
    header_crc,
    body,
    trailer,
    between,
    over
  };

  State fail(std::string_view why);
  void next_header_stage();
  State read_header_byte(uint8_t byte, ByteSink& sink);
  State read_trailer_byte(uint8_t byte);
  // Inflates from `bytes`, reports in `used` what it took.
  State inflate_body(std::string_view bytes, size_t& used, ByteSink& sink);
  void end_of_body();

  Format format_;
  Stage stage_;
  z_stream z_{};
  bool ready_ = false;            // z_ is to be ended
  std::array<uint8_t, 10> head_;  // bytes of the current stage
  size_t head_size_ = 0;
  uint8_t flags_ = 0;      // gzip's, of the fields still to come
  size_t skip_ = 0;        // bytes of the extra field still to come
  uint32_t check_ = 0;     // CRC-32 or Adler-32 of what came out of this member
  uint32_t length_ = 0;    // of the same, modulo 2^32
  uint64_t consumed_ = 0;  // of all input
  uint64_t frame_start_ = 0;
  bool wrapped_ = false;  // Format::deflate turned out to be zlib; always true for zlib
  std::string_view error_;
};

}  // namespace gatehouse
