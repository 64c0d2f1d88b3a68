// One push: its body in, a verdict out. Receives, has git index the pack in a quarantine, has git print every object of
// it, looks at them, decides.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/in_force.h"
#include "common/dlp/client.h"
#include "common/git/gate_protocol.h"
#include "common/git/plain_body.h"
#include "common/net/loop.h"
#include "common/policy/policy.h"
#include "git-gate/base_fetch.h"
#include "git-gate/decision.h"
#include "git-gate/git_child.h"
#include "git-gate/object_scan.h"
#include "git-gate/quarantine.h"

namespace gatehouse::git_gate {

inline constexpr std::chrono::minutes kPushTime{10};             // from its first byte to its verdict
inline constexpr uint64_t kMaxObjectBytes = uint64_t{32} << 30;  // of all objects together, unpacked
// Processor time of git, by the size of the pack. Real source needs a tenth of it.
inline constexpr std::chrono::seconds kPackTime{5};
inline constexpr uint64_t kPackBytesPerSecond = 1 << 20;

// What pushes work with; outlives them.
struct PushTools {
  Loop& loop;
  const InForce<policy::Policy>& policy;
  dlp::ScanClient& scanner;
  std::string quarantine;  // folder
};

class Push final : private ByteSink {
 public:
  struct Callbacks {
    std::function<void()> room;  // full() no more
    // Once; may destroy the push. Never from within a call of ours.
    std::function<void(git::PushVerdict)> verdict;
    std::function<void(std::string)> read;  // GateFrame::read: came() and came_end() follow
  };
  Push(PushTools& tools, git::PushQuestion question, Callbacks callbacks);
  ~Push() override;

  void take(std::string_view bytes);  // of the body as sent
  void finish();                      // that was all
  bool full() const;
  bool reads() const { return reads_; }
  void came(std::string_view bytes);
  void came_end(std::string_view why_not);

 private:
  enum class Stage { head, pack, indexing, scanning, reading, refused, over };

  bool write(std::string_view plain) override;
  void read_head(std::string_view plain);
  void begin_pack(std::string_view first);
  void take_pack(std::string_view bytes);
  GitChild::Settings child_settings(std::vector<std::string> arguments, uint64_t file_bytes) const;
  Result<void> start_index();
  void indexed(const Result<void>& ended);
  Result<void> check_pack_file() const;
  Result<void> start_scan();
  void scanned(const Result<void>& ended);
  void scan_output(std::string_view bytes);
  void on_scanned();
  void ask_remote(BaseWanted wanted);
  git::PushVerdict verdict_with(const Evidence& evidence) const;
  bool is_decided() const { return stage_ >= Stage::refused; }
  void refuse(std::string rule, std::string reason);
  void scan_refusal();
  void on_refusal_scanned();
  void answer(git::PushVerdict verdict);

  PushTools& tools_;
  const git::PushQuestion question_;
  Callbacks callbacks_;
  const std::shared_ptr<const policy::Policy> policy_;  // in force when it began
  const policy::GitTerms terms_;
  std::optional<git::PlainBody> body_;
  git::PushReader reader_;
  Stage stage_ = Stage::head;
  std::string pack_head_;  // its first bytes, until there are enough
  uint64_t pack_bytes_ = 0;
  uint32_t pack_objects_ = 0;
  uint64_t printed_bytes_ = 0;
  bool fed_ = false;  // the pack is whole
  Decision refusal_;
  std::optional<git::PushVerdict> verdict_;
  std::optional<Quarantine> quarantine_;
  std::unique_ptr<ObjectScan> scan_;
  std::unique_ptr<BaseFetch> fetch_;
  bool reads_ = false;               // the proxy has been asked, and has not ended
  std::unique_ptr<GitChild> child_;  // goes before what it works on
  Timer deadline_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::git_gate
