// A body without its Content-Encoding (RFC 9110 section 8.4), as far as it can be had for little. Passive.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "common/codec/codec.h"

namespace gatehouse::proxy {

// What may come out of a body: this much, and so many bytes more for each that went in. A few kilobytes that stand for
// gigabytes are not worth the time, which is that of other connections.
inline constexpr uint64_t kPlainBodyAllowance = 1 << 20;
inline constexpr uint64_t kPlainBodyRatio = 64;

class PlainBody final : private ByteSink {
 public:
  using OnBytes = std::function<void(std::string_view)>;

  // `coding` is the field's value: empty, identity, gzip, x-gzip, deflate, br or zstd; of another, or of several,
  // nothing is read.
  PlainBody(std::string_view coding, OnBytes on_bytes);

  void feed(std::string_view bytes);
  // Whether all that came could be read; meaningful at any time.
  bool readable() const { return readable_; }
  // Holds a decoder, which may take some megabytes.
  bool coded() const { return codec_ != nullptr; }

 private:
  bool write(std::string_view bytes) override;

  OnBytes on_bytes_;
  std::unique_ptr<Codec> codec_;
  uint64_t in_ = 0;
  uint64_t out_ = 0;
  bool over_ = false;
  bool readable_ = true;
};

}  // namespace gatehouse::proxy
