#include "common/codec/zstd.h"

#include <zstd_errors.h>

#include <algorithm>
#include <array>

namespace gatehouse {

namespace {

constexpr size_t kBlockHeaderBytes = 3;  // RFC 8878 section 3.1.1.2

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

// What the frame says that is still to come of its content.
uint64_t Zstd::content_left() const {
  const auto content = ZSTD_getFrameContentSize(header_.data(), std::min<size_t>(frame_bytes_, header_.size()));
  if (content >= ZSTD_CONTENTSIZE_ERROR) return UINT64_MAX;  // it does not say
  return content - std::min<uint64_t>(content, written_);
}

// A raw block is put out as it comes, until it fails: at its last byte, when the frame then is not as long as it says,
// or as soon as more comes at once than is left. What is put out is not to hang on how the input is cut, so neither is
// seen along with what is before it.
size_t Zstd::readable() const {
  const uint64_t block = wanted_ > kBlockHeaderBytes + 1 ? wanted_ - kBlockHeaderBytes - 1 : 1;
  const uint64_t left = content_left();
  return left == 0 ? block : std::min(block, left);
}

Codec::Step Zstd::decode(std::string_view bytes, ByteSink& sink) {
  if (context_ == nullptr) {
    error_ = kTooMuchMemory;
    return {State::failed, 0};
  }
  std::array<char, kDecodedChunkBytes> out;
  size_t used = 0;
  while (used < bytes.size()) {
    if (frame_bytes_ == 0) {
      frame_start_ = consumed_;
      written_ = 0;
    }
    // Input and output take turns: a call that fails does not say what it has put out before, so the one that reads
    // has nowhere to put anything and stops after each block. For the same reason a frame's header comes byte by byte:
    // a small frame that is seen whole would be decoded at one go.
    const size_t give = frame_bytes_ < header_.size() ? 1 : std::min(bytes.size() - used, readable());
    if (frame_bytes_ < header_.size()) header_[frame_bytes_] = bytes[used];
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
      // A context that had a longer frame before has room for more than this one may be.
      const bool longer = to.pos > content_left();
      to.pos = std::min<uint64_t>(to.pos, content_left());
      written_ += to.pos;
      if (to.pos > 0 && !sink.write({out.data(), to.pos})) return {State::stopped, used};
      if (longer) {
        error_ = "longer than it says";
        return {State::failed, used};
      }
    }
    if (ZSTD_isError(result)) {
      const auto code = ZSTD_getErrorCode(result);
      const bool memory = code == ZSTD_error_frameParameter_windowTooLarge || code == ZSTD_error_memory_allocation;
      const bool junk = code == ZSTD_error_prefix_unknown && frame_start_ > 0;
      error_ = memory ? kTooMuchMemory : junk ? "bytes after its end" : std::string_view(ZSTD_getErrorString(code));
      return {State::failed, used};
    }
    wanted_ = result;
    if (result == 0) {
      frame_bytes_ = 0;
      if (frames_ == Frames::first) return {State::done, used};
    }
  }
  return {State::more, used};
}

}  // namespace gatehouse
