// Reads a layer with a table of rules.
//
// What a rule finds does not depend on how its input is cut. Stage 1 names places where a match may begin; those of one
// rule that are close together make a region. A place is looked at when everything that can begin or end there has
// come: the rule's longest match and one byte more. From left to right, the first match that begins in a region and
// passes the judgement is reported, and the rule goes on behind its secret.
#pragma once

#include <cassert>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/layer_reader.h"
#include "dlp/rule_table.h"
#include "dlp/scratch.h"

namespace gatehouse::dlp {

// Input is put together up to this much before stage 1 sees it: a call for every few bytes that a decoder lets go would
// cost more than the scan. A piece that stays below is scanned at once, without a stream.
inline constexpr size_t kHeldBytes = 4096;

// What all readers of one table in one thread share.
class RuleWorkspace {
 public:
  static Result<std::unique_ptr<RuleWorkspace>> create(std::shared_ptr<const RuleTable> table);
  ~RuleWorkspace();

  const RuleTable& table() const { return *table_; }

  // How much stage 2 had to do; for tests and figures.
  struct Effort {
    uint64_t triggers = 0;  // matches of stage 1
    uint64_t searches = 0;  // calls of RuleMatcher::find
    uint64_t bytes = 0;     // that they were given to look through
  };
  const Effort& effort() const { return effort_; }

 private:
  friend class RuleReader;

  // Where a rule's match may begin: [next, last]. Later ones up to last + gap belong to the same region.
  struct Region {
    uint64_t first = 0;
    uint64_t next = 0;  // the first place not yet looked at
    uint64_t last = 0;
  };

  // Held while one reader works with what all share: its OnMatch must not write to another.
  class Turn {
   public:
    explicit Turn(bool& busy) : busy_(busy) {
      assert(!busy_);
      busy_ = true;
    }
    ~Turn() { busy_ = false; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    bool& busy_;
  };

  explicit RuleWorkspace(std::shared_ptr<const RuleTable> table);
  Turn take_turn() { return Turn(busy_); }
  hs_stream_t* take_stream();
  void give_back(hs_stream_t* stream);
  void add(uint32_t rule, Region region);
  void add(const RuleTable::Trigger& trigger, uint64_t to_first, uint64_t to_last);
  static void on_shape(void* self, Shape shape, size_t first, size_t last);
  static int on_expression(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* self);

  std::shared_ptr<const RuleTable> table_;
  Scratch scratch_;
  std::vector<hs_stream_t*> streams_;         // idle
  std::vector<std::vector<Region>> regions_;  // of each rule, while one reader is at work
  std::vector<uint32_t> touched_;             // the rules that have some
  uint64_t piece_ = 0;                        // where the piece begins from which Hyperscan counts
  uint64_t shape_base_ = 0;                   // the place in the piece from which find_shapes() counts
  bool busy_ = false;
  Effort effort_;
};

class RuleReader : public LayerReader {
 public:
  explicit RuleReader(RuleWorkspace& workspace) : shared_(workspace) {}  // which outlives it
  ~RuleReader() override;
  RuleReader(const RuleReader&) = delete;
  RuleReader& operator=(const RuleReader&) = delete;

  void write(std::string_view bytes, const OnMatch& on_match) override;
  void check(const OnMatch& on_match) override;
  void boundary(const OnMatch& on_match) override;
  void end(const OnMatch& on_match) override;

 private:
  using Region = RuleWorkspace::Region;
  struct Pending {
    uint32_t rule = 0;
    Region region;
  };

  // What check() has reported before it was decided.
  struct Told {
    uint32_t rule = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  // Where a search goes: places [region.next, last], matches up to `end` of the layer.
  struct Search {
    uint32_t rule = 0;
    uint64_t last = 0;
    uint64_t end = 0;
    bool decided = true;
  };

  void scan(std::string_view bytes);
  void scan_whole(std::string_view bytes);
  void scan_shapes(bool is_end);
  void lay_out_pending();
  void look_everywhere(bool is_end, const OnMatch& on_match);
  void look(uint32_t rule, std::vector<Region>& regions, bool is_end, const OnMatch& on_match);
  bool look(uint32_t rule, Region& region, bool is_end, const OnMatch& on_match);
  void look_ahead(uint32_t rule, Region region, const OnMatch& on_match);
  void search(const Search& search, Region& region, const OnMatch& on_match);
  void report(const Search& search, const Judgement& judgement, uint64_t begin, std::string_view secret,
              const OnMatch& on_match);
  std::string_view text_for(const Search& search, uint64_t begin);
  std::string_view bytes_between(uint64_t begin, uint64_t end);
  void keep_tail();
  void finish_piece(const OnMatch& on_match);

  RuleWorkspace& shared_;
  hs_stream_t* stream_ = nullptr;  // only when the piece has outgrown kHeldBytes
  uint64_t piece_ = 0;             // where the current piece begins in the layer
  uint64_t scanned_ = 0;           // up to where stage 1 has come
  uint64_t shaped_ = 0;            // up to where the search for shapes has
  uint64_t total_ = 0;
  // The layer's bytes from tail_begin_ on that have to be kept; then, during a write, those of the caller.
  std::string tail_;
  uint64_t tail_begin_ = 0;
  std::string_view current_;
  uint64_t current_begin_ = 0;
  std::vector<Pending> pending_;
  std::vector<Told> told_;
  std::string ahead_;  // of a search that is not decided, its text and one byte for what is to come
};

// RuleReader for streams of either direction. One for each worker thread.
class RuleReaderSource : public ReaderSource {
 public:
  static Result<std::unique_ptr<RuleReaderSource>> create(const RuleTables& tables);
  std::vector<std::unique_ptr<LayerReader>> open(const StreamInfo& stream) override;

 private:
  std::unique_ptr<RuleWorkspace> out_;
  std::unique_ptr<RuleWorkspace> in_;
};

// The readers of several sources.
class CombinedSource : public ReaderSource {
 public:
  void add(std::unique_ptr<ReaderSource> source) { sources_.push_back(std::move(source)); }
  std::vector<std::unique_ptr<LayerReader>> open(const StreamInfo& stream) override;

 private:
  std::vector<std::unique_ptr<ReaderSource>> sources_;
};

}  // namespace gatehouse::dlp
