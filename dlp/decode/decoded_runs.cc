#include "dlp/decode/decoded_runs.h"

#include <bit>
#include <cstring>
#include <utility>

namespace gatehouse::dlp {

namespace {

// A line of equal letters decodes to something like it.
bool is_varied(std::string_view bytes) {
  constexpr int kMinDifferent = 4;
  uint64_t seen = 0;
  for (const char c : bytes) {
    seen |= uint64_t{1} << (c & 63);
    if (std::popcount(seen) >= kMinDifferent) return true;
  }
  return false;
}

}  // namespace

DecodedRuns::DecodedRuns(DecoderHost& host, std::string kind, const std::vector<int>& shifts, size_t least)
    : host_(host), kind_(std::move(kind)), least_(least), shifted_(host, kind_, shifts) {}

void DecodedRuns::open(uint64_t origin) {
  origin_ = origin;
  holding_ = true;
  held_size_ = 0;
  shifted_.open(origin);
}

void DecodedRuns::write(std::string_view bytes) {
  if (bytes.empty()) return;
  shifted_.write(bytes);
  if (holding_ && held_size_ + bytes.size() < kPieceBytes) {
    std::memcpy(held_ + held_size_, bytes.data(), bytes.size());
    held_size_ += bytes.size();
    return;
  }
  if (holding_) {
    holding_ = false;
    begin_piece();
    if (output_ != nullptr && held_size_ > 0) output_->write({held_, held_size_});
  }
  if (output_ != nullptr) output_->write(bytes);
}

void DecodedRuns::realign(uint8_t rest, int rest_bits) {
  shifted_.close(rest, rest_bits);
  shifted_.open(origin_);
}

void DecodedRuns::close(uint8_t rest, int rest_bits, uint64_t end) {
  shifted_.close(rest, rest_bits);
  if (!holding_) return;
  holding_ = false;
  put({held_, held_size_}, end);
}

void DecodedRuns::put_short(std::string_view bytes, uint64_t origin, uint8_t rest, int rest_bits, uint64_t end) {
  shifted_.read_short(bytes, origin, rest, rest_bits);
  origin_ = origin;
  put(bytes, end);
}

void DecodedRuns::put(std::string_view run, uint64_t end) {
  if (run.size() < least_ || !is_varied(run) || host_.redundant(kind_, origin_, end)) return;
  if (output_ == nullptr || begins_file(run)) {
    begin_piece();
  } else {
    output_->separate(origin_);
  }
  if (output_ != nullptr) output_->write(run);
}

void DecodedRuns::begin_piece() {
  if (output_ != nullptr) output_->end();
  output_ = host_.output(kind_);
  if (output_ != nullptr) output_->begin({origin_, {}, {}, {}});
}

void DecodedRuns::boundary() {
  if (output_ != nullptr) output_->end();
  output_ = nullptr;
  shifted_.boundary();
}

}  // namespace gatehouse::dlp
