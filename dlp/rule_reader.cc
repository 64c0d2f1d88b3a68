#include "dlp/rule_reader.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace gatehouse::dlp {

namespace {

constexpr size_t kSliceBytes = 64 * 1024;  // between two looks: stage 2 finds them in the processor's cache
constexpr size_t kMaxIdleStreams = 64;
constexpr size_t kToldBytes = 4 * kMaxMatchBytes;  // what was told so far back has been decided since

}  // namespace

RuleWorkspace::RuleWorkspace(std::shared_ptr<const RuleTable> table) : table_(std::move(table)) {
  regions_.resize(table_->rules().size());
}

RuleWorkspace::~RuleWorkspace() {
  for (hs_stream_t* stream : streams_) hs_close_stream(stream, nullptr, nullptr, nullptr);
}

Result<std::unique_ptr<RuleWorkspace>> RuleWorkspace::create(std::shared_ptr<const RuleTable> table) {
  std::unique_ptr<RuleWorkspace> workspace(new RuleWorkspace(std::move(table)));
  for (const hs_database_t* database : {workspace->table_->streaming(), workspace->table_->block()}) {
    if (database == nullptr) continue;
    if (auto ok = workspace->scratch_.cover(database); !ok) return failed(ok);
  }
  return workspace;
}

hs_stream_t* RuleWorkspace::take_stream() {
  hs_stream_t* stream = nullptr;
  if (!streams_.empty()) {
    stream = std::exchange(streams_.back(), nullptr);
    streams_.pop_back();
    return stream;
  }
  const hs_error_t error = hs_open_stream(table_->streaming(), 0, &stream);
  assert(error == HS_SUCCESS);  // or memory has run out
  (void)error;
  return stream;
}

void RuleWorkspace::give_back(hs_stream_t* stream) {
  if (streams_.size() < kMaxIdleStreams) {
    streams_.push_back(stream);
  } else {
    hs_close_stream(stream, nullptr, nullptr, nullptr);
  }
}

void RuleWorkspace::add(uint32_t rule, Region region) {
  auto& regions = regions_[rule];
  if (regions.empty()) {
    touched_.push_back(rule);
  } else if (Region& latest = regions.back();
             region.first >= latest.first && region.first <= latest.last + table_->entry(rule).gap) {
    latest.last = std::max(latest.last, region.last);
    return;
  }
  regions.push_back(region);
}

// What a trigger says that ends at each of [to_first, to_last] of the piece.
void RuleWorkspace::add(const RuleTable::Trigger& trigger, uint64_t to_first, uint64_t to_last) {
  if (to_last < trigger.nearest) return;  // the match would have begun before the piece
  const uint64_t first = piece_ + (to_first < trigger.farthest ? 0 : to_first - trigger.farthest);
  add(trigger.rule, {first, first, piece_ + to_last - trigger.nearest});
}

int RuleWorkspace::on_expression(unsigned id, unsigned long long, unsigned long long to, unsigned, void* self) {
  auto& workspace = *static_cast<RuleWorkspace*>(self);
  ++workspace.effort_.triggers;
  for (const auto& trigger : workspace.table_->triggers(id)) workspace.add(trigger, to, to);
  return 0;
}

void RuleWorkspace::on_shape(void* self, Shape shape, size_t first, size_t last) {
  auto& workspace = *static_cast<RuleWorkspace*>(self);
  ++workspace.effort_.triggers;
  const uint64_t to = workspace.shape_base_ + kMaxShapeBytes;
  for (const auto& trigger : workspace.table_->triggers(shape)) workspace.add(trigger, to + first, to + last);
}

RuleReader::~RuleReader() {
  if (stream_ == nullptr) return;
  hs_reset_stream(stream_, 0, nullptr, nullptr, nullptr);
  shared_.give_back(stream_);
}

// Stage 1 over the piece's next bytes.
void RuleReader::scan(std::string_view bytes) {
  if (stream_ == nullptr) stream_ = shared_.take_stream();
  shared_.piece_ = piece_;
  const hs_error_t error = hs_scan_stream(stream_, bytes.data(), static_cast<unsigned>(bytes.size()), 0,
                                          shared_.scratch_.get(), RuleWorkspace::on_expression, &shared_);
  assert(error == HS_SUCCESS);
  (void)error;
  scanned_ += bytes.size();
}

// Stage 1 over all of a piece.
void RuleReader::scan_whole(std::string_view bytes) {
  shared_.piece_ = piece_;
  const hs_error_t error = hs_scan(shared_.table().block(), bytes.data(), static_cast<unsigned>(bytes.size()), 0,
                                   shared_.scratch_.get(), RuleWorkspace::on_expression, &shared_);
  assert(error == HS_SUCCESS);
  (void)error;
  scanned_ += bytes.size();
}

// The search for shapes, up to where none that may begin is cut by what has not come yet.
void RuleReader::scan_shapes(bool is_end) {
  if (!shared_.table().has_shapes()) return;
  const uint64_t cut = is_end ? 0 : kMaxShapeBytes - 1;
  const uint64_t end = std::max(scanned_, piece_ + cut) - cut;
  while (shaped_ < end) {
    const uint64_t to = shaped_ < current_begin_ ? std::min(end, current_begin_) : end;
    const std::string_view text = bytes_between(shaped_, std::min(to + kMaxShapeBytes, scanned_));
    shared_.piece_ = piece_;
    shared_.shape_base_ = shaped_ - piece_;
    find_shapes(text, 0, to - shaped_, RuleWorkspace::on_shape, &shared_);
    shaped_ = to;
  }
}

// The layer's bytes [begin, end), in one place.
std::string_view RuleReader::bytes_between(uint64_t begin, uint64_t end) {
  assert(begin >= tail_begin_ && begin <= end && end <= current_begin_ + current_.size());
  if (begin >= current_begin_) return current_.substr(begin - current_begin_, end - begin);
  // From the tail into the current bytes: the tail is lengthened by as many of them as are asked for.
  const uint64_t tail_end = tail_begin_ + tail_.size();
  if (end > tail_end) tail_.append(current_.substr(tail_end - current_begin_, end - tail_end));
  return std::string_view(tail_).substr(begin - tail_begin_, end - begin);
}

// The layer's bytes from `begin` to the search's end and, unless the input ends there, one more. What is still to come
// is taken for a letter: nothing that must end with the input, or before white space, is told before it does.
std::string_view RuleReader::text_for(const Search& search, uint64_t begin) {
  if (search.decided || search.end < scanned_) return bytes_between(begin, std::min(search.end + 1, scanned_));
  ahead_ = bytes_between(begin, search.end);
  return ahead_ += 'a';
}

void RuleReader::report(const Search& search, const Judgement& judgement, uint64_t begin, std::string_view secret,
                        const OnMatch& on_match) {
  const uint64_t end = begin + secret.size();
  const bool is_told = std::any_of(told_.begin(), told_.end(), [&](const Told& told) {
    return told.rule == search.rule && told.begin <= begin && told.end >= end;
  });
  if (is_told) return;
  if (!search.decided) told_.push_back({search.rule, begin, end});
  const Rule& rule = shared_.table().rules()[search.rule];
  Match match{&rule, begin, end, secret, judgement.severity, judgement.confidence, {}};
  if (match.confidence == Confidence::low) match.detail = "not confirmed as " + rule.validator;
  on_match(match);
}

// Looks at some places of a region, or at one match that begins there, and goes on behind.
void RuleReader::search(const Search& search, Region& region, const OnMatch& on_match) {
  const RuleMatcher& matcher = *shared_.table().entry(search.rule).matcher;
  const uint64_t begin = region.next > piece_ ? region.next - 1 : piece_;  // with the byte before, for \b
  const std::string_view text = text_for(search, begin);
  const auto match = matcher.find(text, region.next - begin, search.last - begin, search.end - begin);
  ++shared_.effort_.searches;
  shared_.effort_.bytes += match ? match->secret_end - (region.next - begin) : search.end - region.next;
  if (!match) {
    region.next = search.last + 1;
    return;
  }
  const std::string_view secret = text.substr(match->secret_begin, match->secret_end - match->secret_begin);
  const auto judgement = matcher.judge(secret);
  // A match that is passed over may hide another that begins in its secret.
  region.next = begin + std::max(judgement ? match->secret_end : match->secret_begin, match->begin + 1);
  if (judgement) report(search, *judgement, begin + match->secret_begin, secret, on_match);
}

// Looks at what is decided of one region. True when all of it is.
bool RuleReader::look(uint32_t rule, Region& region, bool is_end, const OnMatch& on_match) {
  const uint64_t reach = shared_.table().entry(rule).reach;
  while (region.next <= region.last) {
    uint64_t last = std::min(region.last, region.next + reach);
    if (!is_end && last + reach >= scanned_) {
      // A long region is looked at in steps, so that no byte is looked at often however small the writes are.
      if (region.next + 2 * reach >= scanned_) return false;
      last = scanned_ - reach - 1;
    }
    search({rule, last, std::min(last + reach, scanned_)}, region, on_match);
  }
  return true;
}

// Looks at what is not decided of one region.
void RuleReader::look_ahead(uint32_t rule, Region region, const OnMatch& on_match) {
  const uint64_t reach = shared_.table().entry(rule).reach;
  while (region.next <= region.last && region.next < scanned_) {
    const uint64_t last = std::min({region.last, region.next + reach, scanned_ - 1});
    search({rule, last, std::min(last + reach, scanned_), false}, region, on_match);
  }
}

void RuleReader::look(uint32_t rule, std::vector<Region>& regions, bool is_end, const OnMatch& on_match) {
  const RuleTable::Entry& entry = shared_.table().entry(rule);
  const auto begins_before = [](const Region& a, const Region& b) { return a.first < b.first; };
  if (!std::is_sorted(regions.begin(), regions.end(), begins_before)) {
    std::stable_sort(regions.begin(), regions.end(), begins_before);
    size_t kept = 0;
    for (size_t i = 1; i < regions.size(); ++i) {
      if (regions[i].first <= regions[kept].last + entry.gap) {
        regions[kept].last = std::max(regions[kept].last, regions[i].last);
      } else {
        regions[++kept] = regions[i];
      }
    }
    regions.resize(kept + 1);
  }
  uint64_t floor = 0;  // behind the rule's latest secret
  for (Region& region : regions) {
    region.next = std::max(region.next, floor);
    const bool done = look(rule, region, is_end, on_match);
    floor = region.next;
    // Kept while a later place may yet belong to it, or begin before its latest secret ends.
    if (!is_end && (!done || std::max(region.last + entry.gap, region.next) + entry.farthest >= scanned_)) {
      pending_.push_back({rule, region});
    }
  }
  regions.clear();
}

// Lays what is pending where stage 1 adds to it.
void RuleReader::lay_out_pending() {
  for (const auto& [rule, region] : pending_) {
    if (shared_.regions_[rule].empty()) shared_.touched_.push_back(rule);
    shared_.regions_[rule].push_back(region);
  }
  pending_.clear();
}

// Stage 2, over what stage 1 has found and what was pending.
void RuleReader::look_everywhere(bool is_end, const OnMatch& on_match) {
  for (const uint32_t rule : shared_.touched_) look(rule, shared_.regions_[rule], is_end, on_match);
  shared_.touched_.clear();
}

// Keeps of the layer's bytes what a place already named or still to be named can need.
void RuleReader::keep_tail() {
  const uint64_t farthest = shared_.table().max_farthest() + 1;
  uint64_t needed = scanned_ > piece_ + farthest ? scanned_ - farthest : piece_;
  for (const auto& pending : pending_) {
    needed = std::min(needed, std::max(pending.region.next, piece_ + 1) - 1);
  }
  if (needed >= current_begin_) {
    tail_.assign(current_.substr(needed - current_begin_));
  } else {
    tail_.erase(0, needed - tail_begin_);
    const uint64_t tail_end = needed + tail_.size();
    tail_.append(current_.substr(tail_end - current_begin_));
  }
  tail_begin_ = needed;
  current_ = {};
  const auto is_past = [this](const Told& told) { return told.end + kToldBytes < scanned_; };
  told_.erase(std::remove_if(told_.begin(), told_.end(), is_past), told_.end());
}

void RuleReader::write(std::string_view bytes, const OnMatch& on_match) {
  if (shared_.table().streaming() == nullptr) return;
  const std::string_view held = std::string_view(tail_).substr(scanned_ - tail_begin_);
  if (held.size() + bytes.size() <= kHeldBytes) {
    tail_.append(bytes);
    total_ += bytes.size();
    return;
  }
  const auto turn = shared_.take_turn();
  current_ = bytes;
  current_begin_ = total_;
  total_ += bytes.size();
  lay_out_pending();
  if (!held.empty()) scan(held);
  while (!bytes.empty()) {
    const std::string_view slice = bytes.substr(0, kSliceBytes);
    bytes.remove_prefix(slice.size());
    scan(slice);
    scan_shapes(false);
    look_everywhere(false, on_match);
    if (!bytes.empty()) lay_out_pending();
  }
  keep_tail();
}

void RuleReader::finish_piece(const OnMatch& on_match) {
  if (shared_.table().streaming() == nullptr || total_ == piece_) return;
  const auto turn = shared_.take_turn();
  current_ = {};
  current_begin_ = total_;
  lay_out_pending();
  const std::string_view held = std::string_view(tail_).substr(scanned_ - tail_begin_);
  if (stream_ == nullptr) {
    scan_whole(held);
  } else {
    if (!held.empty()) scan(held);
    // What ends with the input is reported now.
    const hs_error_t error =
        hs_reset_stream(stream_, 0, shared_.scratch_.get(), RuleWorkspace::on_expression, &shared_);
    assert(error == HS_SUCCESS);
    (void)error;
    shared_.give_back(std::exchange(stream_, nullptr));
  }
  scan_shapes(true);
  look_everywhere(true, on_match);
  tail_.clear();
  told_.clear();
  tail_begin_ = piece_ = shaped_ = total_;
}

void RuleReader::check(const OnMatch& on_match) {
  if (shared_.table().streaming() == nullptr || total_ == piece_) return;
  const auto turn = shared_.take_turn();
  current_begin_ = total_;
  lay_out_pending();
  if (scanned_ < total_) scan(std::string_view(tail_).substr(scanned_ - tail_begin_));
  scan_shapes(false);
  look_everywhere(false, on_match);
  for (const auto& [rule, region] : pending_) look_ahead(rule, region, on_match);
  keep_tail();
}

void RuleReader::boundary(const OnMatch& on_match) { finish_piece(on_match); }

void RuleReader::end(const OnMatch& on_match) {
  finish_piece(on_match);
  tail_begin_ = piece_ = shaped_ = scanned_ = total_ = 0;
}

Result<std::unique_ptr<RuleReaderSource>> RuleReaderSource::create(const RuleTables& tables) {
  std::unique_ptr<RuleReaderSource> source(new RuleReaderSource);
  auto out = RuleWorkspace::create(tables.out);
  if (!out) return failed(out);
  source->out_ = std::move(*out);
  auto in = RuleWorkspace::create(tables.in);
  if (!in) return failed(in);
  source->in_ = std::move(*in);
  return source;
}

std::vector<std::unique_ptr<LayerReader>> RuleReaderSource::open(const StreamInfo& stream) {
  std::vector<std::unique_ptr<LayerReader>> readers;
  readers.push_back(std::make_unique<RuleReader>(stream.direction == Direction::out ? *out_ : *in_));
  return readers;
}

std::vector<std::unique_ptr<LayerReader>> CombinedSource::open(const StreamInfo& stream) {
  std::vector<std::unique_ptr<LayerReader>> readers;
  for (const auto& source : sources_) {
    auto opened = source->open(stream);
    std::move(opened.begin(), opened.end(), std::back_inserter(readers));
  }
  return readers;
}

}  // namespace gatehouse::dlp
