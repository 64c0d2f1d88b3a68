#include "common/git/plain_body.h"

namespace gatehouse::git {

Result<PlainBody> PlainBody::create(std::string_view encoding) {
  PlainBody body;
  if (encoding.empty() || encoding == "identity") return body;
  if (encoding != "gzip" && encoding != "x-gzip") return fail("a push in another encoding than gzip");
  body.gzip_ = std::make_unique<Inflate>(Inflate::Format::gzip);
  return body;
}

Result<bool> PlainBody::decode(std::string_view bytes, ByteSink& sink) {
  if (bytes.empty()) return true;
  if (!gzip_) return sink.write(bytes);
  if (over_) return fail("more after the end of the gzip member");
  const auto step = gzip_->decode(bytes, sink);
  if (step.state == Codec::State::failed) return fail("bad gzip: {}", gzip_->error());
  if (gzip_->frame_start() > 0 || step.used < bytes.size()) {
    if (step.state == Codec::State::stopped) return false;
    return fail("more after the end of the gzip member");
  }
  over_ = gzip_->complete();
  return step.state != Codec::State::stopped;
}

Result<void> PlainBody::finish() const {
  if (gzip_ && !gzip_->complete()) return fail("gzip that is cut short");
  return {};
}

}  // namespace gatehouse::git
