#include "common/codec/zstd.h"

#include <zstd_errors.h>

#include <array>

namespace gatehouse {

namespace {

constexpr uint64_t kMaxFrameHeaderBytes = 18;  // RFC 8878 section 3.1.1

// To make a context costs far more than to read a header that turns out to be none, and hostile input has many: a
// thread keeps a few, as long as they have no window.
class IdleContexts {
 public:
  ~IdleContexts() {
    for (size_t i = 0; i < count_; ++i) ZSTD_freeDCtx(contexts_[i]);
  }
  ZSTD_DCtx* take() { return count_ > 0 ? contexts_[--count_] : ZSTD_createDCtx(); }
  void give_back(ZSTD_DCtx* context) {
    const bool small = context != nullptr && ZSTD_sizeof_DCtx(context) <= kMaxIdleBytes;
    if (small && count_ < contexts_.size() &&
        !ZSTD_isError(ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters))) {
      contexts_[count_++] = context;
    } else {
      ZSTD_freeDCtx(context);
    }
  }

 private:
  static constexpr size_t kMaxIdleBytes = 512 * 1024;
  std::array<ZSTD_DCtx*, 4> contexts_;
  size_t count_ = 0;
};
thread_local IdleContexts idle_contexts;

}  // namespace

Zstd::Zstd(int max_window_log, Frames frames) : frames_(frames), context_(idle_contexts.take()) {
  if (context_ == nullptr) return;
  if (ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, max_window_log))) {
    ZSTD_freeDCtx(context_);
    context_ = nullptr;
  }
}

Zstd::~Zstd() { idle_contexts.give_back(context_); }

Codec::Step Zstd::decode(std::string_view bytes, ByteSink& sink) {
  if (context_ == nullptr) {
    error_ = kTooMuchMemory;
    return {State::failed, 0};
  }
  std::array<char, kDecodedChunkBytes> out;
  size_t used = 0;
  while (used < bytes.size()) {
    if (frame_bytes_ == 0) frame_start_ = consumed_;
    // Input and output take turns: a call that fails does not say what it has put out before, so the one that reads
    // has nowhere to put anything and stops after each block. For the same reason a frame's header comes byte by byte:
    // a small frame that is seen whole would be decoded at one go.
    const size_t give = frame_bytes_ < kMaxFrameHeaderBytes ? 1 : bytes.size() - used;
    ZSTD_inBuffer in{bytes.data() + used, give, 0};
    ZSTD_outBuffer nowhere{out.data(), 0, 0};
    size_t result = ZSTD_decompressStream(context_, &nowhere, &in);
    used += in.pos;
    consumed_ += in.pos;
    frame_bytes_ += in.pos;
    ZSTD_outBuffer to{out.data(), out.size(), out.size()};
    while (!ZSTD_isError(result) && result != 0 && to.pos == out.size()) {
      ZSTD_inBuffer nothing{bytes.data(), 0, 0};
      to.pos = 0;
      result = ZSTD_decompressStream(context_, &to, &nothing);
      if (to.pos > 0 && !sink.write({out.data(), to.pos})) return {State::stopped, used};
    }
    if (ZSTD_isError(result)) {
      const auto code = ZSTD_getErrorCode(result);
      const bool memory = code == ZSTD_error_frameParameter_windowTooLarge || code == ZSTD_error_memory_allocation;
      const bool junk = code == ZSTD_error_prefix_unknown && frame_start_ > 0;
      error_ = memory ? kTooMuchMemory : junk ? "bytes after its end" : std::string_view(ZSTD_getErrorString(code));
      return {State::failed, used};
    }
    if (result == 0) {
      frame_bytes_ = 0;
      if (frames_ == Frames::first) return {State::done, used};
    }
  }
  return {State::more, used};
}

}  // namespace gatehouse
