// For tests: what the libraries' own encoders make of a text.
#pragma once

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <cassert>
#include <string>
#include <string_view>

namespace gatehouse {

// As zlib's windowBits: 31 gzip, 15 zlib, -15 raw.
inline std::string deflated(std::string_view text, int window_bits, int level = 6) {
  z_stream z{};
  [[maybe_unused]] int result = deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  assert(result == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  result = deflate(&z, Z_FINISH);
  assert(result == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
inline std::string gzipped(std::string_view text, int level = 6) { return deflated(text, 31, level); }
inline std::string zlibbed(std::string_view text, int level = 6) { return deflated(text, 15, level); }

inline std::string brotlied(std::string_view text, int window_bits = 22) {
  std::string out(BrotliEncoderMaxCompressedSize(text.size()) + 64, '\0');
  size_t size = out.size();
  [[maybe_unused]] const auto ok = BrotliEncoderCompress(5, window_bits, BROTLI_MODE_GENERIC, text.size(),
                                                         reinterpret_cast<const uint8_t*>(text.data()), &size,
                                                         reinterpret_cast<uint8_t*>(out.data()));
  assert(ok);
  out.resize(size);
  return out;
}

inline std::string zstded(std::string_view text, int window_log = 0) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  if (window_log != 0) {
    // Streamed without a known size, so that the window is as large as asked for.
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_inBuffer in{text.data(), text.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    ZSTD_compressStream2(context, &to, &in, ZSTD_e_flush);
    ZSTD_compressStream2(context, &to, &in, ZSTD_e_end);
    out.resize(to.pos);
  } else {
    out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  }
  ZSTD_freeCCtx(context);
  return out;
}

// Text that compresses, but not to nothing: numbered lines.
inline std::string lines(size_t bytes) {
  std::string text;
  for (unsigned n = 0; text.size() < bytes; ++n) text += "line " + std::to_string(n * 2654435761u) + "\n";
  text.resize(bytes);
  return text;
}

}  // namespace gatehouse
