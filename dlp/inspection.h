// The scan of one stream: its parts' bytes go in, findings come out. Which of them deny is the policy's affair, not
// ours.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/budget.h"
#include "dlp/finding_list.h"
#include "dlp/layer.h"

namespace gatehouse::dlp {

// What the inspections of one worker thread share; outlives them. It keeps what one stream has used for the next.
struct Inspector {
  ReaderSource& readers;
  Fingerprint fingerprint;
  Budget::Clock clock = Budget::steady_clock;
  LayerPool layers = {};
};

// Built-in findings, of category "limits" and never dropped:
//   decode-budget  deny; something of the policy's limits is spent, `detail` says which. What follows is not read.
//   decode-error   what is declared to be encoded is not; deny outbound, warn inbound.
class Inspection final : private LayerObserver {
 public:
  Inspection(Inspector& inspector, StreamInfo stream, const policy::Limits& limits);
  ~Inspection() override;

  const StreamInfo& stream() const { return stream_; }

  // Begins the next part, which ends the one before. Parts count from 0.
  void part(const PartInfo& part);
  // Bytes of the current part, in whatever pieces they come.
  void write(std::string_view bytes);
  // Ends the last part. Nothing may follow but take_findings().
  void finish();

  // What was found since last asked, strictest first. See FindingList for what is kept; while a part goes on, only what
  // can be told without what is to come is among it (LayerReader::check).
  std::vector<Finding> take_findings();
  // How many findings of the whole stream were not kept. Each of the same rule and severity as one that was.
  uint64_t dropped() const { return findings_.dropped(); }

 private:
  void found(const Sighting& sighting) override;
  void fault(std::string_view path, std::string_view location, std::string_view reason) override;
  void note_budget();
  template <class Work>
  void work(Work work);

  const StreamInfo stream_;
  LayerPool& pool_;
  Budget budget_;
  LayerContext context_;
  FindingList findings_;
  std::unique_ptr<Layer> root_;
  std::string location_;
  uint32_t parts_ = 0;  // begun
  bool open_ = false;
  bool budget_noted_ = false;
  bool fault_noted_ = false;  // in this part
};

}  // namespace gatehouse::dlp
