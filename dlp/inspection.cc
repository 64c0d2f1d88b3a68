#include "dlp/inspection.h"

#include <cassert>

#include "common/base/log.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMaxReasonBytes = 200;

}  // namespace

Inspection::Inspection(Inspector& inspector, StreamInfo stream, const policy::Limits& limits)
    : stream_(std::move(stream)),
      pool_(inspector.layers),
      budget_(limits, stream_.direction, inspector.clock),
      context_{stream_, inspector.readers, pool_, budget_, *this},
      findings_(inspector.fingerprint) {}

Inspection::~Inspection() {
  if (root_) pool_.give_back(std::move(root_));
}

void Inspection::part(const PartInfo& part) {
  work([&] {
    if (open_) root_->finish();
    if (!root_) root_ = pool_.take(context_, nullptr, {});
    context_.root = root_.get();
    open_ = true;
    parts_ += 1;
    location_ = part.location;
    fault_noted_ = false;
    if (!budget_.spent()) root_->begin({0, part.location, part.content_type, part.content_encoding});
  });
}

void Inspection::write(std::string_view bytes) {
  assert(open_);
  if (budget_.spent()) return;
  work([&] {
    root_->write(bytes);
    root_->flush();
  });
}

void Inspection::finish() {
  work([&] {
    if (open_) root_->finish();
    open_ = false;
  });
}

std::vector<Finding> Inspection::take_findings() {
  if (open_ && !budget_.spent()) {
    work([this] { root_->check(); });
  }
  return findings_.take();
}

void Inspection::found(const Sighting& sighting) { findings_.add(sighting, parts_ - 1); }

void Inspection::fault(std::string_view path, std::string_view location, std::string_view reason) {
  if (fault_noted_) return;
  fault_noted_ = true;
  Finding finding;
  finding.rule = "decode-error";
  finding.category = "limits";
  finding.title = "body that does not decode as it says";
  finding.severity = stream_.direction == Direction::out ? FindingAction::deny : FindingAction::warn;
  finding.confidence = Confidence::high;
  finding.part = parts_ - 1;
  finding.location = log::printable(location);
  finding.path = path;
  finding.detail = log::printable(reason, kMaxReasonBytes);
  findings_.add_problem(std::move(finding));
}

void Inspection::note_budget() {
  if (!budget_.spent() || budget_noted_) return;
  budget_noted_ = true;
  Finding finding;
  finding.rule = "decode-budget";
  finding.category = "limits";
  finding.title = "content that costs more to look into than the policy allows";
  finding.severity = FindingAction::deny;
  finding.confidence = Confidence::high;
  finding.part = parts_ == 0 ? 0 : parts_ - 1;
  finding.location = log::printable(location_);
  finding.detail = budget_.reason();
  findings_.add_problem(std::move(finding));
}

template <class Work>
void Inspection::work(Work work) {
  budget_.start_work();
  work();
  budget_.stop_work();
  note_budget();
}

}  // namespace gatehouse::dlp
