// Reads what a push builds on from the remote. The gate has no network: each request goes through the proxy, which
// judges and logs it as it does the guest's own (GateFrame::read). What comes is the remote's, goes into a repository
// of its own beside the push's, through git itself and within limits, and is only ever compared with.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "git-gate/base.h"
#include "git-gate/batch_reader.h"
#include "git-gate/git_child.h"
#include "git-gate/quarantine.h"

namespace gatehouse::git_gate {

inline constexpr uint64_t kMaxBaseBytes = uint64_t{128} << 20;       // of packs, together
inline constexpr uint64_t kMaxBaseObjects = 1'000'000;               // of one pack
inline constexpr uint64_t kMaxBasePrintedBytes = uint64_t{4} << 30;  // of all objects, unpacked
inline constexpr size_t kMaxHistories = 8;  // looked through; what more a push builds on is unproved
inline constexpr size_t kMaxBaseTips = 64;  // of a remote, that commits are looked for in the histories of

class BaseFetch {
 public:
  struct Callbacks {
    std::function<void(std::string)> read;  // ask for this; came() and came_end() follow
    std::function<void()> room;             // full() no more
    // Once; may destroy the fetch. Never from within a call of ours.
    std::function<void(std::unique_ptr<Base>)> done;
  };
  BaseFetch(Loop& loop, std::string folder, BaseWanted wanted, ObjectFormat format, Callbacks callbacks);
  ~BaseFetch();

  void start();
  void came(std::string_view bytes);
  void came_end(std::string_view why_not);
  bool full() const;

 private:
  enum class Step { offer, refs, trees, history, forward, loading, over };

  void next();
  void fetch(git::FetchWanted wanted);
  Result<void> end_of_answer();
  Result<void> take_pack(std::string_view bytes);
  Result<void> start_index(std::string_view first);
  void indexed(const Result<void>& ended);
  void load();
  Result<void> take_object_bytes(std::string_view bytes);
  void end_object();
  void stop(std::string why);
  void end();

  Loop& loop_;
  const std::string folder_;
  BaseWanted wanted_;
  const ObjectFormat format_;
  Callbacks callbacks_;
  std::unique_ptr<Base> base_;
  Step step_ = Step::offer;
  git::FetchOffer offer_;
  std::string answer_;  // that is no pack
  std::optional<git::FetchReader> reader_;
  std::string pack_head_;
  bool answered_ = false;  // the answer is whole, and git has not ended
  uint64_t bytes_ = 0;
  uint64_t printed_bytes_ = 0;
  std::vector<std::string> unrooted_;  // commits of the remote that are to be found in a history yet
  std::vector<std::string> tips_;      // in whose
  std::optional<BatchReader> objects_;
  std::string content_;
  std::optional<Quarantine> quarantine_;
  std::unique_ptr<GitChild> child_;  // goes before what it works on
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::git_gate
