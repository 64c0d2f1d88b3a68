// Looks at every object of a pack, in whatever order they come: shows what it says to gatehouse-dlp, and notes what the
// policy's terms object to. Passive but for the scanner's callbacks.
//
// Objects share a stream of the scanner until it has some size, so that a pack of many small files costs few verdicts;
// each object's texts are parts of their own.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/dlp/client.h"
#include "common/git/gate_protocol.h"
#include "common/policy/policy.h"
#include "git-gate/batch_reader.h"
#include "git-gate/pack_graph.h"
#include "git-gate/path_rules.h"

namespace gatehouse::git_gate {

inline constexpr size_t kBatchBytes = 1 << 20;           // of one stream of the scanner; what is larger has its own
inline constexpr size_t kBatchParts = 1000;              // likewise
inline constexpr size_t kMaxApart = 64;                  // parts shown alone, because together they cost too much
inline constexpr size_t kMaxOpenBatches = 4;             // whose verdicts are waited for
inline constexpr size_t kMaxStructureBytes = 4 << 20;    // of a commit, tag or tree, which are read whole
inline constexpr size_t kMaxConfigBytes = 4 << 20;       // of a blob that may be a .gitmodules
inline constexpr size_t kMaxComplaints = 100;            // noted; the first ones
inline constexpr size_t kMaxKnownNamesBytes = 16 << 20;  // for names of files that are not shown twice
inline constexpr size_t kMaxNameBytes = 4096;            // of one file or folder: no system has longer ones
inline constexpr size_t kMaxKeptFindings = 2 * git::kMaxGateFindings;

// What the policy's terms say against something in the push.
struct Complaint {
  std::string rule;  // built in: "git.file-size"...
  std::string reason;
  std::string object;
};

class ObjectScan {
 public:
  struct Callbacks {
    std::function<void()> room;  // full() no more
    std::function<void()> done;  // once, after finish(): all verdicts are in; may destroy this object
  };
  // All outlive this but the question.
  ObjectScan(dlp::ScanClient& scanner, const git::PushQuestion& question, const policy::GitTerms& terms,
             ObjectFormat format, Callbacks callbacks);
  ~ObjectScan();

  // What is said outside the pack.
  void show(const git::PushHead& head);
  // Words of ours that may quote the push.
  void show_words(std::string_view words);
  // More of the output of `git cat-file --batch`. An error: nothing more is to be shown.
  Result<void> take(std::string_view bytes);
  bool full() const;
  void finish();

  // Once it is done.
  const std::optional<Error>& scanner_error() const { return error_; }
  // Strictest first. `judge` is asked about each that denies, once its place is known: the policy may exempt it there.
  using Judge = std::function<policy::FindingDecision(const git::PushFinding&)>;
  std::vector<git::PushFinding> findings(const Judge& judge) const;
  const std::vector<Complaint>& complaints() const { return complaints_; }
  const PackGraph& graph() const { return graph_; }
  const TreeStore& trees() const { return trees_; }
  uint64_t objects() const { return objects_; }
  bool whole() const { return reader_.at_boundary(); }
  // Whether the scanner found something in the name of this ref.
  bool is_tainted_ref(const std::string& ref) const { return tainted_refs_.contains(ref); }
  bool has_tainted_words() const { return tainted_words_; }
  // A path without names in which the scanner found something.
  std::string shown_path(std::string_view path) const;

 private:
  struct Part {
    std::string location;
    std::string object;
    size_t start = 0;  // in the batch's text
    bool kept = true;  // its bytes are in the batch's text, as those of all are that are not alone in it
  };
  struct Batch {
    std::unique_ptr<dlp::Scan> scan;
    std::vector<Part> parts;
    std::string text;
    uint64_t bytes = 0;
  };
  struct Found {
    git::PushFinding finding;
    std::string name;  // of the file in whose name it is, or the ref
  };

  void begin_object();
  void end_object();
  void read_commit();
  void read_tag();
  void read_tree_object();
  void check_person(std::string_view person, std::string_view who);
  void check_trailers(std::string_view message);
  void check_configuration(std::string_view text);
  void complain(std::string rule, std::string reason);

  void show_part(std::string_view location, std::string_view text);
  void begin_part(std::string_view location, uint64_t size);
  void write_part(std::string_view bytes);
  void close_batch();
  void judged(std::list<Batch>::iterator batch, const Result<dlp::ScanVerdict>& verdict);
  bool show_apart(const Batch& batch, const dlp::Finding& finding);
  void show_again(const Batch& batch, size_t from, size_t to);
  void note(const Batch& batch, const dlp::Finding& finding);
  void end_when_done();
  bool is_tainted_name(std::string_view name) const;

  dlp::ScanClient& scanner_;
  dlp::StreamInfo stream_;
  const policy::GitTerms& terms_;
  const size_t depth_;  // of the remote's path
  Callbacks callbacks_;
  BatchReader reader_;
  std::shared_ptr<Room> room_ = std::make_shared<Room>();
  PackGraph graph_;
  TreeStore trees_;
  std::string content_;   // of the current object, unless it is a large blob
  bool skipped_ = false;  // the current object is too large to be looked at
  uint64_t objects_ = 0;
  std::list<Batch> batches_;  // the last one is open, if open_
  bool open_ = false;
  size_t apart_ = 0;
  bool finished_ = false;
  std::optional<Error> error_;
  std::vector<Found> found_;
  uint64_t more_findings_ = 0;
  bool more_deny_ = false;  // one of them does: no exemption would be for it
  std::vector<Complaint> complaints_;
  std::unordered_set<std::string> known_names_;
  Room known_names_room_{kMaxKnownNamesBytes};
  std::set<std::string> tainted_names_;
  std::set<std::string> tainted_refs_;
  bool tainted_words_ = false;
};

}  // namespace gatehouse::git_gate
