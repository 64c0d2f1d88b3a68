#include "dlp/secret_reader.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <tuple>

namespace gatehouse::dlp {
namespace {

constexpr size_t kBlockBytes = 8 << 10;  // after which tracks are reported: few are held at a time
constexpr uint64_t kMaxBreakBytes = 64;  // white space passed over between two lines of a key: its indentation
constexpr std::string_view kNotBound = "which stands for the secret only at the hosts and places that the policy names";
constexpr uint64_t kNoBound = std::numeric_limits<uint64_t>::max();

bool is_break(char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

SecretReader::SecretReader(const KnownSecrets& secrets, FragmentLedger& ledger, const StreamInfo& stream,
                           const Clock& clock)
    : secrets_(secrets), ledger_(ledger), stream_(stream), clock_(clock), caseless_(stream.channel == "dns") {}

void SecretReader::write(std::string_view bytes, const OnMatch& on_match) {
  while (!bytes.empty()) {
    const std::string_view block = bytes.substr(0, kBlockBytes);
    bytes.remove_prefix(block.size());

    // What lies across the border is seen in a copy, the rest where it is.
    const size_t head = std::min(block.size(), kKeptBytes);
    std::memcpy(joint_.data() + kept_, block.data(), head);
    scan({joint_.data(), position_ - kept_, position_ + head}, on_match);
    if (block.size() > head) scan({block.data(), position_, position_ + block.size()}, on_match);

    position_ += block.size();
    if (block.size() >= kKeptBytes) {
      std::memcpy(joint_.data(), block.data() + block.size() - kKeptBytes, kKeptBytes);
      kept_ = kKeptBytes;
    } else {
      const size_t all = kept_ + block.size();
      const size_t dropped = all > kKeptBytes ? all - kKeptBytes : 0;
      std::memmove(joint_.data(), joint_.data() + dropped, all - dropped);
      kept_ = all - dropped;
    }
    scan_kept(on_match);
  }
}

void SecretReader::boundary(const OnMatch& on_match) {
  for (Track& track : tracks_) track.open = false;
  std::erase_if(tracks_, [&](const Track& track) { return !worth_keeping(track); });
  report_until(kNoBound, on_match);
  kept_ = 0;
  next_ = next_short_ = position_;
}

void SecretReader::end(const OnMatch& on_match) {
  boundary(on_match);
  position_ = next_ = next_short_ = 0;
}

void SecretReader::scan(const View& view, const OnMatch& on_match) {
  sample(secrets_.grams(), next_, view, GramIndex::kLoadBytes);
  sample(secrets_.short_grams(), next_short_, view, GramIndex::kLoadBytes);
  follow(view, std::min(view.end, next_ + secrets_.grams().gram_bytes()));
  // What begins later than this has not been met yet, and ends later too.
  if (!tracks_.empty()) report_until(std::min(next_, next_short_), on_match);
}

// The last runs, for which no whole word could be loaded: a secret is told of as soon as its last byte is written.
void SecretReader::scan_kept(const OnMatch& on_match) {
  const View view{joint_.data(), position_ - kept_, position_};
  std::memset(joint_.data() + kept_, 0, GramIndex::kLoadBytes);
  sample(secrets_.grams(), next_, view, secrets_.grams().gram_bytes());
  sample(secrets_.short_grams(), next_short_, view, secrets_.short_grams().gram_bytes());
  follow(view, view.end);
  if (!tracks_.empty()) report_until(std::min(next_, next_short_), on_match);
}

// Looks up every run from `next` on that has `needed` bytes up to the view's end.
void SecretReader::sample(const GramIndex& grams, uint64_t& next, const View& view, size_t needed) {
  if (grams.empty()) {
    next = std::max(next, view.end);
    return;
  }
  const uint64_t stride = grams.stride();
  uint64_t at = next;
  // Four at a time while there is nothing, which is almost always.
  for (const char* data = view.data + (at - view.begin); at + 3 * stride + GramIndex::kLoadBytes <= view.end;
       at += 4 * stride, data += 4 * stride) {
    const std::array<uint64_t, 4> hashes = {grams.hash(data), grams.hash(data + stride), grams.hash(data + 2 * stride),
                                            grams.hash(data + 3 * stride)};
    unsigned any = 0;
    for (const uint64_t hash : hashes) any |= grams.may_hold(hash);
    if (any == 0) [[likely]] {
      continue;
    }
    for (size_t i = 0; i < hashes.size(); ++i) {
      if (grams.may_hold(hashes[i])) meet(grams, hashes[i], at + i * stride, view);
    }
  }
  for (; at + needed <= view.end; at += stride) {
    const uint64_t hash = grams.hash(view.data + (at - view.begin));
    if (grams.may_hold(hash)) [[unlikely]] {
      meet(grams, hash, at, view);
    }
  }
  next = at;
}

// Lengthens the open tracks up to `limit`, and forgets those that came to nothing.
void SecretReader::follow(const View& view, uint64_t limit) {
  bool closed = false;
  for (Track& track : tracks_) {
    if (!track.open) continue;
    extend(track, view, limit);
    closed |= !track.open;
  }
  if (closed) std::erase_if(tracks_, [&](const Track& track) { return !track.open && !worth_keeping(track); });
}

void SecretReader::meet(const GramIndex& grams, uint64_t hash, uint64_t position, const View& view) {
  // So far and no farther, whatever is at hand: which runs lie on a track must not depend on how the input was cut.
  const uint64_t limit = position + grams.gram_bytes();
  follow(view, limit);
  const bool inbound = stream_.direction == Direction::in;
  for (const GramIndex::Place& place : grams.places(hash)) {
    const KnownForm& form = secrets_.forms()[place.string];
    // Into answers the proxy itself puts placeholders, where the value was.
    if (inbound && secrets_.secrets()[form.secret].kind == KnownSecret::Kind::placeholder) continue;
    const auto on_track = [&](const Track& track) {
      if (track.form != place.string) return false;
      if (form.shape.wrapped) {  // white space may lie on it, but it ends where this run does
        return track.end == limit && track.matched.end == place.offset + grams.gram_bytes();
      }
      return track.begin <= position && position < track.cursor &&
             position - track.begin == uint64_t{place.offset} - track.matched.begin;
    };
    bool same = true;
    for (uint32_t i = 0; same && i < grams.gram_bytes(); ++i) {
      same = agree(form, place.offset + i, view.at(position + i));
    }
    if (!same || std::any_of(tracks_.begin(), tracks_.end(), on_track)) continue;

    Track track;
    track.form = place.string;
    track.matched = {place.offset, place.offset + grams.gram_bytes()};
    track.begin = track.anchor = position;
    track.end = track.cursor = position + grams.gram_bytes();
    const uint64_t farthest = std::max(view.begin, position - std::min<uint64_t>(position, kHistoryBytes));
    for (uint64_t before = position; before > farthest && track.matched.begin > 0; --before) {
      const char c = view.at(before - 1);
      if (agree(form, track.matched.begin - 1, c)) {
        track.begin = before - 1;
        --track.matched.begin;
      } else if (!form.shape.wrapped || !is_break(c)) {
        break;
      }
    }
    extend(track, view, limit);
    if (track.open || worth_keeping(track)) tracks_.push_back(track);
  }
}

void SecretReader::extend(Track& track, const View& view, uint64_t limit) const {
  const KnownForm& form = secrets_.forms()[track.form];
  assert(track.cursor >= view.begin && limit <= view.end);
  while (track.matched.end < form.bytes.size()) {
    if (track.cursor >= limit) return;  // and stays open
    const char c = view.at(track.cursor);
    if (agree(form, track.matched.end, c)) {
      ++track.matched.end;
      track.end = ++track.cursor;
    } else if (form.shape.wrapped && is_break(c) && track.cursor - track.end < kMaxBreakBytes) {
      ++track.cursor;
    } else {
      break;
    }
  }
  track.open = false;
}

bool SecretReader::agree(const KnownForm& form, uint32_t offset, char c) const {
  const char expected = form.bytes[offset];
  if (c == expected) return true;
  return (form.shape.caseless || caseless_) && lower(c) == lower(expected);
}

bool SecretReader::is_whole(const Track& track) const {
  const auto& whole = secrets_.forms()[track.form].shape.whole;
  return std::any_of(whole.begin(), whole.end(), [&](Span span) { return track.matched.contains(span); });
}

bool SecretReader::worth_keeping(const Track& track) const {
  if (is_whole(track)) return true;
  const KnownForm& form = secrets_.forms()[track.form];
  const KnownSecret& secret = secrets_.secrets()[form.secret];
  const Span positions = form.positions(track.matched);
  if (!secret.is_fragment(positions)) return false;
  return stream_.direction == Direction::out ||
         (secret.kind == KnownSecret::Kind::canary && secret.counted(positions) >= kMinFragmentBytes);
}

// Reports every whole secret, and of the fragments those that end at or before `bound`, in an order that does not
// depend on how the input was cut: by end, begin and form. What ends where an open track might is not ripe.
void SecretReader::report_until(uint64_t bound, const OnMatch& on_match) {
  uint64_t first_open = kNoBound;
  for (const Track& track : tracks_) {
    if (track.open) first_open = std::min(first_open, track.end);
  }
  const auto key = [](const Track& track) { return std::make_tuple(track.end, track.begin, track.form); };
  std::sort(tracks_.begin(), tracks_.end(), [&](const Track& a, const Track& b) { return key(a) < key(b); });
  const auto is_ripe = [&](const Track& track) { return track.end <= bound && track.end < first_open; };
  for (Track& track : tracks_) {
    if (track.open || track.reported || !(is_ripe(track) || is_whole(track))) continue;
    report(track, on_match);
    track.reported = true;  // and kept for as long as a piece of it may come
  }
  std::erase_if(tracks_, is_ripe);
}

void SecretReader::report(const Track& track, const OnMatch& on_match) {
  const KnownForm& form = secrets_.forms()[track.form];
  const KnownSecret& secret = secrets_.secrets()[form.secret];
  Match match;
  match.begin = track.begin;
  match.end = track.end;
  match.secret = secret.text.substr(0, kMaxMatchBytes);
  match.confidence = Confidence::high;
  match.detail = form.shape.disguise.words();
  if (is_whole(track)) {
    if (secret.kind == KnownSecret::Kind::placeholder && match.detail.empty()) match.detail = kNotBound;
    match.rule = &secret.whole;
    match.severity = secret.whole.severity;
    on_match(match);
    return;
  }

  // A piece of a longer piece of the same secret is nothing more.
  const auto holds_it = [&](const Track& other) {
    if (secrets_.forms()[other.form].secret != form.secret || other.anchor >= track.end) return false;
    if (other.begin == track.begin && other.end == track.end) return other.form < track.form;
    return other.begin <= track.begin && track.end <= other.end;
  };
  if (std::any_of(tracks_.begin(), tracks_.end(), holds_it)) return;

  const Span positions = form.positions(track.matched);
  match.rule = &secret.fragment;
  match.severity = FindingAction::warn;
  if (stream_.direction == Direction::out) {
    const auto now = clock_();
    const auto account = ledger_.add(form.secret, positions, stream_, now);
    if (account.full) match.severity = FindingAction::deny;
    match.detail += match.detail.empty() ? "" : "; ";
    match.detail += describe(account, now);
  }
  const bool canary = secret.kind == KnownSecret::Kind::canary;
  if (canary && secret.counted(positions) >= kMinFragmentBytes) match.severity = FindingAction::deny;
  on_match(match);
}

std::vector<std::unique_ptr<LayerReader>> SecretReaderSource::open(const StreamInfo& stream) {
  std::vector<std::unique_ptr<LayerReader>> readers;
  if (!secrets_.empty()) readers.push_back(std::make_unique<SecretReader>(secrets_, ledger_, stream, clock_));
  return readers;
}

}  // namespace gatehouse::dlp
