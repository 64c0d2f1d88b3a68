#include "dlp/finding_list.h"

#include <algorithm>
#include <limits>

#include "common/base/log.h"
#include "dlp/rule.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kTaken = std::numeric_limits<size_t>::max();
constexpr size_t kMaxDetailBytes = 512;

// A short secret shows less of itself.
std::string prefix(std::string_view secret) {
  std::string shown(secret.substr(0, std::min(kPrefixBytes, secret.size() / 4)));
  for (char& c : shown) c = c > ' ' && c < '\x7f' ? c : '.';
  return shown;
}

size_t steps(std::string_view path) {
  return path.empty() ? 0 : 1 + static_cast<size_t>(std::count(path.begin(), path.end(), '>'));
}

}  // namespace

FindingList::FindingList(Fingerprint fingerprint) : fingerprint_(std::move(fingerprint)) {}

void FindingList::add(const Sighting& sighting, uint32_t part) {
  const Match& match = sighting.match;
  const bool decoded = !sighting.path.empty();
  if (seen_.size() >= kMaxKeptFindings && kinds_.contains({match.rule, match.severity})) {
    dropped_ += 1;
    return;
  }
  // Joined to what follows it is no other secret than by itself.
  const Key first{match.rule, match.severity, part, sighting.first.value_or(sighting.offset), {}};
  if (decoded && sighting.first && seen_.contains(first)) return;
  std::string fingerprint = fingerprint_(match.secret);
  Key key{match.rule, match.severity, part, decoded ? 0 : sighting.offset, decoded ? fingerprint : std::string()};
  const auto [known, is_new] = seen_.try_emplace(std::move(key), new_.size());
  if (!is_new) {
    const size_t index = known->second;
    if (index == kTaken || steps(new_[index].path) <= steps(sighting.path)) return;
    new_[index].path = sighting.path;
    new_[index].offset = sighting.offset;
    new_[index].location = log::printable(sighting.location);
    return;
  }
  kinds_.insert({match.rule, match.severity});
  Finding finding;
  finding.rule = match.rule->id;
  finding.category = match.rule->category;
  finding.title = match.rule->title;
  finding.severity = match.severity;
  finding.confidence = match.confidence;
  finding.part = part;
  finding.location = log::printable(sighting.location);
  finding.path = sighting.path;
  finding.offset = sighting.offset;
  finding.length = decoded ? 0 : match.end - match.begin;
  finding.prefix = prefix(match.secret);
  finding.fingerprint = std::move(fingerprint);
  finding.detail = match.detail.substr(0, kMaxDetailBytes);
  if (const auto joined = decoded ? joined_.end() : joined_.find(first); joined != joined_.end()) {
    known->second = joined->second;
    new_[joined->second] = std::move(finding);
    joined_.erase(joined);
    return;
  }
  if (decoded && sighting.first) joined_.try_emplace(first, new_.size());
  new_.push_back(std::move(finding));
}

void FindingList::add_problem(Finding finding) { new_.push_back(std::move(finding)); }

std::vector<Finding> FindingList::take() {
  for (auto& [key, index] : seen_) index = kTaken;
  joined_.clear();
  std::stable_sort(new_.begin(), new_.end(), [](const Finding& a, const Finding& b) {
    if (a.severity != b.severity) return a.severity > b.severity;
    return steps(a.path) < steps(b.path);
  });
  return std::exchange(new_, {});
}

}  // namespace gatehouse::dlp
