#include "common/codec/inflate.h"

#include <algorithm>
#include <cassert>

namespace gatehouse {

namespace {

constexpr uint8_t kMagic[] = {0x1f, 0x8b};
constexpr uint8_t kDeflate = 8;
constexpr size_t kFixedHeaderBytes = 10;
constexpr uint8_t kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16;  // RFC 1952 section 2.3.1
constexpr size_t kMaxInputAtOnce = size_t{1} << 30;

}  // namespace

bool Inflate::is_zlib_header(uint8_t first, uint8_t second) {
  return (first & 0x0f) == kDeflate && first >> 4 <= 7 && (first << 8 | second) % 31 == 0 && (second & 0x20) == 0;
}

Inflate::Inflate(Format format)
    : format_(format),
      stage_(format == Format::gzip  ? Stage::gzip_header
             : format == Format::raw ? Stage::body
                                     : Stage::zlib_header),
      wrapped_(format == Format::zlib) {
  // The wrappings are read here: zlib's own reader refuses headers that others take.
  ready_ = inflateInit2(&z_, -MAX_WBITS) == Z_OK;
}

Inflate::~Inflate() {
  if (ready_) inflateEnd(&z_);
}

Codec::State Inflate::fail(std::string_view why) {
  error_ = why;
  return State::failed;
}

Codec::Step Inflate::decode(std::string_view bytes, ByteSink& sink) {
  if (!ready_) return {fail(kTooMuchMemory), 0};
  size_t used = 0;
  State state = State::more;
  while (state == State::more && used < bytes.size()) {
    if (stage_ == Stage::over) {
      state = State::done;
    } else if (stage_ == Stage::body) {
      size_t taken = 0;
      state = inflate_body(bytes.substr(used), taken, sink);
      used += taken;
      consumed_ += taken;
    } else if (stage_ == Stage::extra) {
      const size_t taken = std::min(skip_, bytes.size() - used);
      used += taken;
      consumed_ += taken;
      skip_ -= taken;
      if (skip_ == 0) next_header_stage();
    } else {
      const auto byte = static_cast<uint8_t>(bytes[used]);
      state = stage_ == Stage::trailer ? read_trailer_byte(byte) : read_header_byte(byte, sink);
      if (state == State::done) break;  // the byte is not ours
      ++used;
      ++consumed_;
    }
  }
  if (state == State::more && stage_ == Stage::over) state = State::done;
  return {state, used};
}

// Optional fields stand in this order.
void Inflate::next_header_stage() {
  head_size_ = 0;
  const auto take = [this](uint8_t flag) {
    const bool set = (flags_ & flag) != 0;
    flags_ &= static_cast<uint8_t>(~flag);
    return set;
  };
  if (take(kExtra)) {
    stage_ = Stage::extra_size;
  } else if (take(kName)) {
    stage_ = Stage::name;
  } else if (take(kComment)) {
    stage_ = Stage::comment;
  } else if (take(kHeaderCrc)) {
    stage_ = Stage::header_crc;
  } else {
    stage_ = Stage::body;
    check_ = static_cast<uint32_t>(format_ == Format::gzip ? crc32(0, nullptr, 0) : adler32(0, nullptr, 0));
    length_ = 0;
  }
}

Codec::State Inflate::read_header_byte(uint8_t byte, ByteSink& sink) {
  switch (stage_) {
    case Stage::zlib_header: {
      head_[head_size_++] = byte;
      if (head_size_ < 2) return State::more;
      const bool zlib = is_zlib_header(head_[0], head_[1]);
      if (!zlib && format_ == Format::zlib) return fail("incorrect header check");
      wrapped_ = zlib;
      next_header_stage();
      if (zlib) return State::more;
      const std::array<char, 2> begin = {static_cast<char>(head_[0]), static_cast<char>(head_[1])};
      size_t taken = 0;
      const State state = inflate_body({begin.data(), begin.size()}, taken, sink);
      // One byte cannot hold a whole stream: the shortest is ten bits.
      assert(state != State::more || taken == begin.size());
      return state;
    }
    case Stage::between:
      if (byte != kMagic[0]) return State::done;
      stage_ = Stage::gzip_header;
      frame_start_ = consumed_;
      head_size_ = 0;
      [[fallthrough]];
    case Stage::gzip_header:
      if (head_size_ < 2 && byte != kMagic[head_size_]) {
        return fail(frame_start_ == 0 ? "incorrect header check" : "bytes after its end");
      }
      if (head_size_ == 2 && byte != kDeflate) return fail("unknown compression method");
      head_[head_size_++] = byte;
      if (head_size_ < kFixedHeaderBytes) return State::more;
      flags_ = head_[3];
      next_header_stage();
      return State::more;
    case Stage::extra_size:
      head_[head_size_++] = byte;
      if (head_size_ < 2) return State::more;
      skip_ = size_t{head_[0]} | size_t{head_[1]} << 8;
      if (skip_ == 0) {
        next_header_stage();
      } else {
        stage_ = Stage::extra;
      }
      return State::more;
    case Stage::name:
    case Stage::comment:
      if (byte == 0) next_header_stage();
      return State::more;
    case Stage::header_crc:
      if (++head_size_ == 2) next_header_stage();
      return State::more;
    default:
      assert(false);
      return State::more;
  }
}

Codec::State Inflate::inflate_body(std::string_view bytes, size_t& used, ByteSink& sink) {
  std::array<char, kDecodedChunkBytes> out;
  bytes = bytes.substr(0, kMaxInputAtOnce);
  z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z_.avail_in = static_cast<uInt>(bytes.size());
  State state = State::more;
  int result = Z_OK;
  do {
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    result = inflate(&z_, Z_NO_FLUSH);
    const size_t made = out.size() - z_.avail_out;
    if (made > 0) {
      const auto* data = reinterpret_cast<const Bytef*>(out.data());
      if (format_ == Format::gzip) {
        check_ = static_cast<uint32_t>(crc32(check_, data, static_cast<uInt>(made)));
      } else if (wrapped_) {
        check_ = static_cast<uint32_t>(adler32(check_, data, static_cast<uInt>(made)));
      }
      length_ += static_cast<uint32_t>(made);
      if (!sink.write({out.data(), made})) state = State::stopped;
    }
  } while (state == State::more && result == Z_OK && z_.avail_out == 0);
  used = bytes.size() - z_.avail_in;
  if (state != State::more) return state;
  if (result == Z_STREAM_END) {
    end_of_body();
    return State::more;
  }
  if (result == Z_MEM_ERROR) return fail(kTooMuchMemory);
  if (result != Z_OK && result != Z_BUF_ERROR) return fail(z_.msg != nullptr ? z_.msg : "invalid data");
  return State::more;
}

void Inflate::end_of_body() {
  head_size_ = 0;
  if (format_ == Format::gzip || wrapped_) {
    stage_ = Stage::trailer;
  } else {
    stage_ = Stage::over;
  }
}

Codec::State Inflate::read_trailer_byte(uint8_t byte) {
  head_[head_size_++] = byte;
  if (format_ != Format::gzip) {
    if (head_size_ < 4) return State::more;
    const uint32_t check = uint32_t{head_[0]} << 24 | uint32_t{head_[1]} << 16 | uint32_t{head_[2]} << 8 | head_[3];
    if (check != check_) return fail("incorrect data check");
    stage_ = Stage::over;
    return State::more;
  }
  if (head_size_ < 8) return State::more;
  const auto little = [this](size_t at) {
    return uint32_t{head_[at]} | uint32_t{head_[at + 1]} << 8 | uint32_t{head_[at + 2]} << 16 |
           uint32_t{head_[at + 3]} << 24;
  };
  if (little(0) != check_) return fail("incorrect data check");
  if (little(4) != length_) return fail("incorrect length check");
  stage_ = Stage::between;
  inflateReset(&z_);
  return State::more;
}

}  // namespace gatehouse
