#include "dlp/gram_index.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace gatehouse::dlp {
namespace {

// 4 KiB at least, which stay in the first cache; 2 MiB at most, for the largest sets; else one bit in 64 is set.
constexpr unsigned kMinMapBits = 15;
constexpr unsigned kMaxMapBits = 24;
constexpr unsigned kSparseness = 6;

}  // namespace

void GramIndex::add(std::string_view gram, Place place) {
  assert(gram.size() == gram_bytes_);
  char padded[kLoadBytes] = {};
  std::memcpy(padded, gram.data(), gram.size());
  added_.push_back(hash(padded));
  places_.push_back(place);
}

void GramIndex::build() {
  const auto count_bits = static_cast<unsigned>(std::bit_width(places_.size()));
  const unsigned map_bits = std::clamp(count_bits + kSparseness, kMinMapBits, kMaxMapBits);
  map_shift_ = 64 - map_bits;
  map_.assign((size_t{1} << map_bits) / 64, 0);
  const unsigned bucket_bits = count_bits + 1;
  bucket_shift_ = 64 - bucket_bits;
  buckets_.assign((size_t{1} << bucket_bits) + 1, 0);

  for (const uint64_t hash : added_) {
    const uint64_t bit = hash >> map_shift_;
    map_[bit >> 6] |= uint64_t{1} << (bit & 63);
    ++buckets_[(hash >> bucket_shift_) + 1];
  }
  for (size_t i = 1; i < buckets_.size(); ++i) buckets_[i] += buckets_[i - 1];
  std::vector<Place> sorted(places_.size());
  auto next = buckets_;
  for (size_t i = 0; i < places_.size(); ++i) sorted[next[added_[i] >> bucket_shift_]++] = places_[i];
  places_ = std::move(sorted);
  added_ = {};
}

}  // namespace gatehouse::dlp
