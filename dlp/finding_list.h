// What one stream's scan has found: each thing once, and no more than a hostile body may make us hold.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "dlp/layer.h"

namespace gatehouse::dlp {

// Keyed hash of a secret, 16 hex digits.
using Fingerprint = std::function<std::string(std::string_view)>;

inline constexpr size_t kMaxKeptFindings = 256;

class FindingList {
 public:
  explicit FindingList(Fingerprint fingerprint);

  // A secret in a part's own bytes is kept with each place where it stands, since each may have to be overwritten; one
  // that was decoded, once for its rule and part, with the shortest path to it; one that was merely joined to what
  // follows it counts as it stands, if it is found there too. Over kMaxKeptFindings only the first one of each rule and
  // severity is kept, since the policy may forgive one rule and not another, and the rest is counted.
  void add(const Sighting& sighting, uint32_t part);
  // One of the scanner's own, always kept.
  void add_problem(Finding finding);

  // Those added since last taken: strictest first, of those the ones with the shortest path.
  std::vector<Finding> take();
  uint64_t dropped() const { return dropped_; }

 private:
  struct Key {
    const Rule* rule;
    FindingAction severity;
    uint32_t part;
    uint64_t offset;          // of a secret that stands there as it is
    std::string fingerprint;  // of a decoded one
    auto operator<=>(const Key&) const = default;
  };

  const Fingerprint fingerprint_;
  std::map<Key, size_t> seen_;    // index into new_, or kTaken
  std::map<Key, size_t> joined_;  // by where its first byte stands: decoded, index into new_
  std::set<std::pair<const Rule*, FindingAction>> kinds_;
  std::vector<Finding> new_;
  uint64_t dropped_ = 0;
};

}  // namespace gatehouse::dlp
