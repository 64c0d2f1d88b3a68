// For tests and fuzz targets: HTTP/2 written and read frame by frame, also such as no peer should write.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http_message.h"

namespace gatehouse::proxy {

inline constexpr std::string_view kClientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
inline constexpr uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;

inline std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload = "") {
  return big_endian(payload.size(), 3) + big_endian(type, 1) + big_endian(flags, 1) + big_endian(stream, 4) +
         std::string(payload);
}

inline std::string setting(uint16_t id, uint32_t value) { return big_endian(id, 2) + big_endian(value, 4); }

// RFC 7541: literals without indexing, lengths in a prefix of 7 bits.
inline std::string hpack(const Fields& fields) {
  const auto put = [](const std::string& text) {
    std::string out;
    size_t length = text.size();
    if (length < 127) {
      out.push_back(static_cast<char>(length));
    } else {
      out.push_back(127);
      for (length -= 127; length >= 128; length /= 128) out.push_back(static_cast<char>(length % 128 + 128));
      out.push_back(static_cast<char>(length));
    }
    return out + text;
  };
  std::string out;
  for (const auto& field : fields) out += std::string(1, '\0') + put(field.name) + put(field.value);
  return out;
}

inline Fields request_fields(const std::string& method, const std::string& path, const Fields& more = {}) {
  Fields fields{{":method", method}, {":scheme", "http"}, {":authority", "api.test.example"}, {":path", path}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

inline std::string headers(uint32_t stream, const Fields& fields, uint8_t flags = kEndHeaders | kEndStream) {
  return frame(NGHTTP2_HEADERS, flags, stream, hpack(fields));
}

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
  Fields fields;           // of HEADERS
  uint32_t code() const {  // of RST_STREAM and GOAWAY
    uint32_t code = 0;
    for (const unsigned char c : payload.substr(type == NGHTTP2_GOAWAY ? 4 : 0, 4)) code = code << 8 | c;
    return code;
  }
};

// Keeps the state of the header compression from one call to the next.
class FrameReader {
 public:
  FrameReader() { nghttp2_hd_inflate_new(&inflater_); }
  ~FrameReader() { nghttp2_hd_inflate_del(inflater_); }
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  // All whole frames of `bytes`.
  std::vector<Frame> read(std::string_view bytes) {
    constexpr size_t kHead = 9;
    std::vector<Frame> frames;
    const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
    while (bytes.size() >= kHead) {
      const size_t length = at(0) << 16 | at(1) << 8 | at(2);
      if (bytes.size() < kHead + length) break;
      Frame next{static_cast<uint8_t>(at(3)),
                 static_cast<uint8_t>(at(4)),
                 at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8),
                 std::string(bytes.substr(kHead, length)),
                 {}};
      if (next.type == NGHTTP2_HEADERS) next.fields = inflate(next.payload);
      frames.push_back(std::move(next));
      bytes.remove_prefix(kHead + length);
    }
    return frames;
  }

 private:
  Fields inflate(const std::string& block) {
    Fields fields;
    const auto* in = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv nv;
      int flags = 0;
      const auto taken = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, in, left, 1);
      if (taken < 0) break;
      in += taken;
      left -= static_cast<size_t>(taken);
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        fields.push_back(
            {{reinterpret_cast<char*>(nv.name), nv.namelen}, {reinterpret_cast<char*>(nv.value), nv.valuelen}});
      }
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
      if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace gatehouse::proxy
