#include "common/audit/chain_check.h"

#include <fmt/core.h>

namespace gatehouse::audit {

namespace {

constexpr size_t kMaxSuspects = 64;  // each is compared with each other one

int64_t sequence(const Row& row) {
  const auto* seq = std::get_if<int64_t>(&row.values[kSeq]);
  return seq == nullptr ? 0 : *seq;
}

std::string rows_in_words(int64_t from, int64_t to) {
  return from == to ? fmt::format("row {}", from) : fmt::format("rows {} to {}", from, to);
}

}  // namespace

ChainCheck::ChainCheck(std::string writer, const SessionRow& session, std::optional<RecordedHead> head)
    : writer_(std::move(writer)), head_(std::move(head)), hash_(genesis_hash(session, writer_)) {
  if (!head_) fault(0, "chain_heads", "unknown writer: the log records no chain of this name");
}

size_t ChainCheck::fault(int64_t seq, std::string_view table, std::string what) {
  faults_.push_back({writer_, seq, std::string(table), std::move(what)});
  return faults_.size() - 1;
}

void ChainCheck::row(const StoredRow& stored) {
  const int64_t seq = sequence(stored.row);
  if (head_ && seq > head_->seq) {
    fault(seq, stored.row.table->name, fmt::format("inserted: the chain ends with row {}", head_->seq));
  } else if (seq == seq_ + 1) {
    check_in_place(stored);
  } else {
    check_out_of_place(stored, seq);
  }
}

void ChainCheck::check_in_place(const StoredRow& stored) {
  ++seq_;
  in_doubt_ = next_hash(hash_, stored.row) != stored.hash;
  if (in_doubt_) {
    const size_t index = fault(seq_, stored.row.table->name,
                               fmt::format("edited: its contents do not give its hash after that of row {}", seq_ - 1));
    if (suspects_.size() < kMaxSuspects) suspects_.push_back({stored, hash_, index});
  }
  hash_ = stored.hash;
}

void ChainCheck::check_out_of_place(const StoredRow& stored, int64_t seq) {
  // Nothing but its number was changed: it fits where it stands under the number due there.
  Row renumbered = stored.row;
  renumbered.values[kSeq] = seq_ + 1;
  if (next_hash(hash_, renumbered) == stored.hash) {
    ++seq_;
    fault(seq, stored.row.table->name, fmt::format("out of order: it was committed as row {}", seq_));
    hash_ = stored.hash;
    in_doubt_ = false;
    return;
  }
  if (seq > seq_) {
    gaps_.push_back({seq_ + 1, seq - 1});
    seq_ = seq;
    hash_ = stored.hash;  // cannot be checked itself: what it follows is not there
    in_doubt_ = false;
    return;
  }
  if (take_from_gaps(seq)) {
    fault(seq, stored.row.table->name, fmt::format("out of order: it stands after row {}", seq_));
    return;
  }
  fault(seq, stored.row.table->name, fmt::format("inserted: there is another row {} before it", seq));
  // Of two rows with one number the one that fits is the true one.
  const bool last = seq == seq_ && in_doubt_ && !suspects_.empty() && sequence(suspects_.back().stored.row) == seq;
  if (last && next_hash(suspects_.back().previous, stored.row) == stored.hash) {
    faults_.pop_back();
    faults_[suspects_.back().fault].what = fmt::format("inserted: there is another row {}, which fits", seq);
    suspects_.pop_back();
    hash_ = stored.hash;
    in_doubt_ = false;
  }
}

bool ChainCheck::take_from_gaps(int64_t seq) {
  for (size_t i = 0; i < gaps_.size(); ++i) {
    const Gap gap = gaps_[i];
    if (seq < gap.from || seq > gap.to) continue;
    gaps_.erase(gaps_.begin() + static_cast<ptrdiff_t>(i));
    if (seq > gap.from) gaps_.push_back({gap.from, seq - 1});
    if (seq < gap.to) gaps_.push_back({seq + 1, gap.to});
    return true;
  }
  return false;
}

// Whether b's contents, put where a stands, are what was committed there.
bool ChainCheck::exchanged(const Suspect& a, const Suspect& b) const {
  // Either everything but place and number moved, or only the columns behind those of the chain.
  for (const bool ids_moved : {true, false}) {
    if (!ids_moved && a.stored.row.table != b.stored.row.table) continue;
    Row restored = b.stored.row;
    for (size_t i = 0; i < kChainColumnCount; ++i) {
      if (!ids_moved || i == kPosition || i == kSeq) restored.values[i] = a.stored.row.values[i];
    }
    const std::string hash = next_hash(a.previous, restored);
    if (hash == a.stored.hash || hash == b.stored.hash) return true;
  }
  return false;
}

void ChainCheck::find_exchanges() {
  for (size_t i = 0; i < suspects_.size(); ++i) {
    for (size_t j = i + 1; j < suspects_.size(); ++j) {
      if (!exchanged(suspects_[i], suspects_[j])) continue;
      const int64_t a = sequence(suspects_[i].stored.row);
      const int64_t b = sequence(suspects_[j].stored.row);
      faults_[suspects_[i].fault].what = fmt::format("out of order: it holds what was committed as row {}", b);
      faults_[suspects_[j].fault].what = fmt::format("out of order: it holds what was committed as row {}", a);
    }
  }
}

std::vector<ChainFault> ChainCheck::finish() {
  find_exchanges();
  for (const auto& gap : gaps_) fault(gap.from, "", "missing: " + rows_in_words(gap.from, gap.to));
  if (head_ && seq_ < head_->seq) {
    fault(seq_ + 1, "", fmt::format("missing: {}, the end of the chain", rows_in_words(seq_ + 1, head_->seq)));
  } else if (head_ && hash_ != head_->hash && !in_doubt_) {
    fault(seq_, "chain_heads", "edited: the hash of the chain's last row is not the one recorded at its commit");
  }
  return std::move(faults_);
}

}  // namespace gatehouse::audit
