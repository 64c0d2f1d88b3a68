#include "common/codec/brotli.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

namespace gatehouse {

namespace {

// In front of each block that the decoder gets, so that freeing it gives its size back.
struct alignas(std::max_align_t) BlockHead {
  size_t size;
};

}  // namespace

void* Brotli::allocate(void* self, size_t size) {
  auto& brotli = *static_cast<Brotli*>(self);
  if (size > kMaxBrotliBytes - brotli.allocated_) return nullptr;
  void* block = std::malloc(sizeof(BlockHead) + size);
  if (block == nullptr) return nullptr;
  new (block) BlockHead{size};
  brotli.allocated_ += size;
  return static_cast<char*>(block) + sizeof(BlockHead);
}

void Brotli::release(void* self, void* address) {
  if (address == nullptr) return;
  auto* head = reinterpret_cast<BlockHead*>(static_cast<char*>(address) - sizeof(BlockHead));
  static_cast<Brotli*>(self)->allocated_ -= head->size;
  std::free(head);
}

Brotli::Brotli() { state_ = BrotliDecoderCreateInstance(allocate, release, this); }

Brotli::~Brotli() {
  if (state_ != nullptr) BrotliDecoderDestroyInstance(state_);
}

Codec::Step Brotli::decode(std::string_view bytes, ByteSink& sink) {
  if (state_ == nullptr) {
    error_ = kTooMuchMemory;
    return {State::failed, 0};
  }
  std::array<char, kDecodedChunkBytes> out;
  size_t left = bytes.size();
  const auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto used = [&] { return bytes.size() - left; };
  for (;;) {
    size_t room = out.size();
    auto* end = reinterpret_cast<uint8_t*>(out.data());
    const auto result = BrotliDecoderDecompressStream(state_, &left, &in, &room, &end, nullptr);
    if (room < out.size() && !sink.write({out.data(), out.size() - room})) return {State::stopped, used()};
    switch (result) {
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        continue;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return {State::more, used()};
      case BROTLI_DECODER_RESULT_SUCCESS:
        done_ = true;
        return {State::done, used()};
      case BROTLI_DECODER_RESULT_ERROR:
        break;
    }
    const auto code = BrotliDecoderGetErrorCode(state_);
    const bool memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && code > BROTLI_DECODER_ERROR_UNREACHABLE;
    error_ = memory ? kTooMuchMemory : "corrupt data";
    return {State::failed, used()};
  }
}

}  // namespace gatehouse
