#include "dlp/budget.h"

#include <fmt/core.h>

#include <cassert>

namespace gatehouse::dlp {
namespace {

constexpr size_t kBytesBetweenClockReadings = 64 * 1024;

}  // namespace

std::chrono::nanoseconds Budget::steady_clock() { return std::chrono::steady_clock::now().time_since_epoch(); }

Budget::Budget(const policy::Limits& limits, Direction direction, Clock clock)
    : limits_(limits), inbound_(direction == Direction::in), clock_(std::move(clock)) {}

void Budget::start_work() {
  assert(!working_);
  working_ = true;
  since_ = clock_();
}

void Budget::stop_work() {
  assert(working_);
  work(kBytesBetweenClockReadings);
  working_ = false;
}

bool Budget::read(size_t bytes) {
  read_ += bytes;
  return work(bytes);
}

bool Budget::decoded(size_t bytes) {
  decoded_ += bytes;
  const uint64_t allowed = limits_.decoded_bytes + (inbound_ ? read_ * kInboundDecodedPerByte : 0);
  if (decoded_ > allowed) return spend(fmt::format("decoded_bytes: more than {} bytes decoded", allowed));
  return work(bytes);
}

bool Budget::too_deep() {
  return spend(fmt::format("decode_depth: more than {} encodings within one another", limits_.decode_depth));
}

bool Budget::more_layers(size_t layers) {
  if (layers <= kMaxLayers) return !spent();
  return spend(fmt::format("layers: more than {} different combinations of encodings at once", kMaxLayers));
}

bool Budget::work(size_t bytes) {
  unmeasured_ += bytes;
  if (!working_ || unmeasured_ < kBytesBetweenClockReadings) return !spent();
  unmeasured_ = 0;
  const auto now = clock_();
  worked_ += now - since_;
  since_ = now;
  auto allowed = std::chrono::nanoseconds(limits_.scan_time);
  if (inbound_) allowed += kInboundTimePerByte * static_cast<int64_t>(read_);
  if (worked_ <= allowed) return !spent();
  return spend(fmt::format("scan_time: more than {} ms of work",
                           std::chrono::duration_cast<std::chrono::milliseconds>(allowed).count()));
}

bool Budget::spend(std::string reason) {
  if (reason_.empty()) reason_ = std::move(reason);
  return false;
}

}  // namespace gatehouse::dlp
