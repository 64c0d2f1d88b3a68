#include "dlp/session.h"

#include <algorithm>
#include <cassert>

namespace gatehouse::dlp {

struct Session::Stream {
  Stream(StreamInfo stream, const OpenScan& open_scan, const JudgeFinding& judge)
      : info(std::move(stream)), judgement(judge, info.host), scan(open_scan(info)) {}

  const StreamInfo info;
  StreamJudgement judgement;
  std::unique_ptr<StreamScan> scan;
  size_t parts = 0;
};

Session::Session(const OpenScan& open_scan, const JudgeFinding& judge) : open_scan_(open_scan), judge_(judge) {}

Session::~Session() = default;

Result<size_t> Session::advance(std::string_view bytes) {
  assert(!bytes.empty());
  size_t taken = 0;
  if (header_read_ < header_.size()) {
    taken = std::min(bytes.size(), header_.size() - header_read_);
    std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<ptrdiff_t>(header_read_));
    header_read_ += taken;
    if (header_read_ < header_.size()) return taken;
    if (auto ok = begin_frame(); !ok) return failed(ok);
    bytes.remove_prefix(taken);
  }
  const size_t step = type() == FrameType::data ? kStepBytes : kMaxControlFrameBytes;
  const std::string_view piece = bytes.substr(0, std::min(payload_left_, step));
  taken += piece.size();
  payload_left_ -= piece.size();
  if (type() == FrameType::data) {
    if (!piece.empty()) stream_->scan->write(piece);
  } else if (payload_left_ > 0) {
    control_ += piece;
  } else {
    // Most often all of it is at hand and need not be copied.
    if (!control_.empty()) control_ += piece;
    if (auto ok = read_control(control_.empty() ? piece : control_); !ok) return failed(ok);
    control_.clear();
  }
  if (payload_left_ == 0) header_read_ = 0;
  return taken;
}

Result<void> Session::begin_frame() {
  size_t length = 0;
  for (size_t i = 4; i-- > 0;) length = length << 8 | header_[i];
  if (length == 0) return fail("frame without a type");
  payload_left_ = length - 1;
  const size_t limit = type() == FrameType::data ? kMaxFrameBytes : kMaxControlFrameBytes;
  if (payload_left_ > limit) return fail("frame of {} bytes is over the limit of {}", payload_left_, limit);
  if (type() == FrameType::hello ? greeted_ : !greeted_) return fail("unexpected frame of type {}", header_.back());
  if (type() == FrameType::data && (!stream_ || stream_->parts == 0)) return fail("data of no part");
  return {};
}

Result<void> Session::read_control(std::string_view payload) {
  switch (type()) {
    case FrameType::hello:
      if (auto ok = decode_hello(payload); !ok) return ok;
      greeted_ = true;
      append_hello(output_);
      return {};
    case FrameType::open:
      return open(payload);
    case FrameType::part:
      return begin_part(payload);
    case FrameType::check:
    case FrameType::end:
      if (!stream_) return fail("question about no stream");
      if (!payload.empty()) return fail("question of {} bytes", payload.size());
      answer();
      return {};
    case FrameType::data:
    case FrameType::verdict:
      break;
  }
  return fail("unexpected frame of type {}", header_.back());
}

Result<void> Session::open(std::string_view payload) {
  if (stream_) return fail("stream within a stream");
  auto info = decode_open(payload);
  if (!info) return failed(info);
  stream_ = std::make_unique<Stream>(std::move(*info), open_scan_, judge_);
  return {};
}

Result<void> Session::begin_part(std::string_view payload) {
  if (!stream_) return fail("part of no stream");
  if (++stream_->parts > kMaxParts) return fail("more than {} parts", kMaxParts);
  const auto part = decode_part(payload);
  if (!part) return failed(part);
  stream_->judgement.begin_part(*part);
  stream_->scan->part(*part);
  return {};
}

void Session::answer() {
  const bool last = type() == FrameType::end;
  if (last) stream_->scan->finish();
  for (Finding& finding : stream_->scan->take_findings()) stream_->judgement.add(std::move(finding));
  append_verdict(output_, stream_->judgement.take(stream_->scan->dropped()));
  if (last) stream_.reset();
}

std::string Session::take_output() { return std::exchange(output_, {}); }

}  // namespace gatehouse::dlp
