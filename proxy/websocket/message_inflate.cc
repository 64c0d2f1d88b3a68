#include "proxy/websocket/message_inflate.h"

namespace gatehouse::proxy {

namespace {
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);
constexpr int kRawDeflate = -15;
}  // namespace

MessageInflate::MessageInflate(bool takeover) : takeover_(takeover) { ready_ = inflateInit2(&z_, kRawDeflate) == Z_OK; }

MessageInflate::~MessageInflate() {
  if (ready_) inflateEnd(&z_);
}

void MessageInflate::begin_message() {
  tail_ = 0;
  if (ready_ && !takeover_) inflateReset(&z_);
}

MessageInflate::Step MessageInflate::inflate(std::string_view input) {
  if (!ready_) return {false, 0, {}};
  z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  z_.avail_in = static_cast<uInt>(input.size());
  z_.next_out = reinterpret_cast<Bytef*>(out_.data());
  z_.avail_out = static_cast<uInt>(out_.size());
  const int result = ::inflate(&z_, Z_SYNC_FLUSH);
  const Step step{true, input.size() - z_.avail_in, {out_.data(), out_.size() - z_.avail_out}};
  // A block that says it is the last: what follows begins a stream of its own (RFC 7692 section 7.2.3.4).
  if (result == Z_STREAM_END) {
    if (inflateReset(&z_) != Z_OK) return {false, 0, {}};
    return step;
  }
  if (result == Z_OK || (result == Z_BUF_ERROR && step.bytes.empty())) return step;
  return {false, 0, {}};
}

MessageInflate::Step MessageInflate::finish() {
  Step step = inflate(kTail.substr(tail_));
  tail_ += step.used;
  return step;
}

}  // namespace gatehouse::proxy
