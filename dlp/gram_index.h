// Where in a set of strings each run of k bytes occurs, with a bit map in front that says "nowhere" in a few cycles.
//
// The strings' every run is in the table, so a text need be looked at only at every stride-th position: whatever it
// shares with a string over k + stride - 1 bytes or more holds a run at one of them.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace gatehouse::dlp {

// Runs are compared without regard to the case of ASCII letters (and confuse a few other bytes): a hit is to be
// checked.
class GramIndex {
 public:
  static constexpr unsigned kLoadBytes = 8;  // readable at every position looked up

  struct Place {
    uint32_t string = 0;
    uint32_t offset = 0;
  };

  GramIndex() : GramIndex(1, 1) {}
  GramIndex(unsigned gram_bytes, unsigned stride)
      : gram_bytes_(gram_bytes),
        stride_(stride),
        mask_(gram_bytes == 8 ? ~uint64_t{0} : (uint64_t{1} << gram_bytes * 8) - 1) {}

  unsigned gram_bytes() const { return gram_bytes_; }
  unsigned stride() const { return stride_; }
  bool empty() const { return places_.empty(); }

  // `gram` has gram_bytes bytes.
  void add(std::string_view gram, Place place);
  // Once, after the last add() and before the first look-up.
  void build();

  uint64_t hash(const char* at) const {
    uint64_t word;
    std::memcpy(&word, at, kLoadBytes);
    return ((word | 0x2020202020202020u) & mask_) * 0x9e3779b97f4a7c15u;
  }
  bool may_hold(uint64_t hash) const {
    const uint64_t bit = hash >> map_shift_;
    return map_[bit >> 6] >> (bit & 63) & 1;
  }
  // Those of this hash, and perhaps of others.
  std::span<const Place> places(uint64_t hash) const {
    const uint64_t bucket = hash >> bucket_shift_;
    return {places_.data() + buckets_[bucket], places_.data() + buckets_[bucket + 1]};
  }

 private:
  unsigned gram_bytes_, stride_;
  uint64_t mask_;
  unsigned map_shift_ = 63, bucket_shift_ = 63;
  std::vector<uint64_t> map_ = {0};
  std::vector<uint32_t> buckets_ = {0, 0, 0};
  std::vector<Place> places_;
  std::vector<uint64_t> added_;  // hash of each place, until built
};

}  // namespace gatehouse::dlp
