// One writer's chain, checked row by row as they come in order of commit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/audit/chain.h"
#include "common/audit/reader.h"
#include "common/audit/row_stream.h"

namespace gatehouse::audit {

// What chain_heads says of a chain's last row.
struct RecordedHead {
  int64_t seq = 0;
  std::string hash;
};

class ChainCheck {
 public:
  // `head` is empty for a writer chain_heads does not know.
  ChainCheck(std::string writer, const SessionRow& session, std::optional<RecordedHead> head);

  void row(const StoredRow& stored);
  // To be called once, after the last row.
  std::vector<ChainFault> finish();

 private:
  // A row that does not follow from the one before it, kept to find out what it was exchanged with.
  struct Suspect {
    StoredRow stored;
    std::string previous;  // hash it should follow
    size_t fault = 0;
  };
  struct Gap {
    int64_t from = 0;
    int64_t to = 0;
  };

  void check_in_place(const StoredRow& stored);
  void check_out_of_place(const StoredRow& stored, int64_t seq);
  bool take_from_gaps(int64_t seq);
  void find_exchanges();
  bool exchanged(const Suspect& a, const Suspect& b) const;
  size_t fault(int64_t seq, std::string_view table, std::string what);

  std::string writer_;
  std::optional<RecordedHead> head_;
  std::string hash_;       // of the last row in place
  int64_t seq_ = 0;        // of that row
  bool in_doubt_ = false;  // that row did not fit: suspects_.back() unless there were too many
  std::vector<Suspect> suspects_;
  std::vector<Gap> gaps_;
  std::vector<ChainFault> faults_;
};

}  // namespace gatehouse::audit
