#include "proxy/telemetry/plain_body.h"

#include <string>

#include "common/codec/brotli.h"
#include "common/codec/inflate.h"
#include "common/codec/zstd.h"

namespace gatehouse::proxy {

PlainBody::PlainBody(std::string_view coding, OnBytes on_bytes) : on_bytes_(std::move(on_bytes)) {
  std::string name;
  for (const char c : coding) {
    if (c != ' ' && c != '\t') name += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  }
  if (name.empty() || name == "identity") return;
  if (name == "gzip" || name == "x-gzip") {
    codec_ = std::make_unique<Inflate>(Inflate::Format::gzip);
  } else if (name == "deflate") {
    codec_ = std::make_unique<Inflate>(Inflate::Format::deflate);
  } else if (name == "br") {
    codec_ = std::make_unique<Brotli>();
  } else if (name == "zstd") {
    codec_ = std::make_unique<Zstd>(kContentZstdWindowLog);
  } else {
    readable_ = false;
  }
}

void PlainBody::feed(std::string_view bytes) {
  if (!readable_ || over_ || bytes.empty()) return;
  if (!codec_) return on_bytes_(bytes);
  in_ += bytes.size();
  const auto step = codec_->decode(bytes, *this);
  if (step.state == Codec::State::more) return;
  over_ = true;
  if (step.state != Codec::State::done) readable_ = false;
  codec_.reset();
}

bool PlainBody::write(std::string_view bytes) {
  out_ += bytes.size();
  on_bytes_(bytes);
  return out_ <= kPlainBodyAllowance + kPlainBodyRatio * in_;
}

}  // namespace gatehouse::proxy
