// Zstandard (RFC 8878): frames and skippable frames, one after the other.
#pragma once

#include <zstd.h>

#include <array>

#include "common/codec/codec.h"

namespace gatehouse {

// Windows of what is sent as a content coding are limited to 8 MiB (RFC 9659 section 3). Files may have larger ones;
// the window's pages come into being only as output fills them, so what is really used is bounded by what may come out.
inline constexpr int kContentZstdWindowLog = 23;
inline constexpr int kFileZstdWindowLog = 27;

class Zstd : public Codec {
 public:
  enum class Frames { all, first };  // what is decoded; with `first` the rest is not taken
  explicit Zstd(int max_window_log, Frames frames = Frames::all);
  ~Zstd() override;
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;

  Step decode(std::string_view bytes, ByteSink& sink) override;
  bool complete() const override { return frame_bytes_ == 0 && consumed_ > 0; }
  uint64_t frame_start() const override { return frame_start_; }
  std::string_view error() const override { return error_; }

 private:
  uint64_t content_left() const;
  size_t readable() const;

  Frames frames_;
  ZSTD_DCtx* context_ = nullptr;
  uint64_t consumed_ = 0;
  uint64_t frame_start_ = 0;
  uint64_t frame_bytes_ = 0;       // read of the current frame; 0 between frames
  std::array<char, 18> header_{};  // the frame's first bytes, its header among them (RFC 8878 section 3.1.1.1)
  size_t wanted_ = 0;              // next, with the header of the block after that
  uint64_t written_ = 0;           // of the current frame
  std::string_view error_;
};

}  // namespace gatehouse
