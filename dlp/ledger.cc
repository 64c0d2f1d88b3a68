#include "dlp/ledger.h"

#include <algorithm>

#include "common/base/log.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMaxNamed = 4;  // pieces in a finding's detail

std::string ago(std::chrono::steady_clock::duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  return seconds < 120 ? fmt::format("{} s ago", seconds) : fmt::format("{} min ago", seconds / 60);
}

}  // namespace

FragmentLedger::FragmentLedger(const KnownSecrets& secrets, std::chrono::seconds window)
    : secrets_(secrets), window_(window), pages_(secrets.secrets().size()) {}

FragmentLedger::Account FragmentLedger::add(uint32_t secret, Span positions, const StreamInfo& stream, Time now) {
  const KnownSecret& known = secrets_.secrets()[secret];
  const auto fresh = [&](Time when) { return when != Time::min() && now - when < window_; };
  Account account;
  account.counted = known.counted();

  const std::lock_guard lock(mutex_);
  Page& page = pages_[secret];
  if (page.last_seen.empty()) page.last_seen.assign(known.text.size(), Time::min());
  for (uint32_t at = positions.begin; at < positions.end; ++at) {
    page.last_seen[at] = std::max(page.last_seen[at], now);
  }
  for (size_t at = 0; at < page.last_seen.size(); ++at) {
    account.seen += known.counts(at) && fresh(page.last_seen[at]);
  }
  account.full = account.seen >= known.threshold;

  std::erase_if(page.pieces, [&](const Piece& piece) {
    if (!fresh(piece.when)) return true;
    const bool same_stream = piece.trace_id == stream.trace_id && piece.channel == stream.channel;
    if (!same_stream) account.earlier.push_back(piece);
    return same_stream && positions.contains(piece.positions);
  });
  const bool known_piece = std::any_of(page.pieces.begin(), page.pieces.end(), [&](const Piece& piece) {
    return piece.positions.contains(positions) && piece.host == stream.host && piece.channel == stream.channel;
  });
  if (!known_piece) page.pieces.push_back({positions, stream.host, stream.channel, stream.trace_id, now});
  if (page.pieces.size() > kMaxLedgerPieces) page.pieces.pop_front();
  return account;
}

std::string describe(const FragmentLedger::Account& account, FragmentLedger::Time now) {
  std::string text = fmt::format("{} of its {} bytes seen so far", account.seen, account.counted);
  const size_t named = std::min(account.earlier.size(), kMaxNamed);
  for (size_t i = 0; i < named; ++i) {
    const auto& piece = account.earlier[i];
    text += fmt::format("{} {} ({}, trace {}, {})", i == 0 ? ", with pieces sent to" : ",", log::printable(piece.host),
                        log::printable(piece.channel, 16), log::printable(piece.trace_id, 64), ago(now - piece.when));
  }
  if (account.earlier.size() > named) text += fmt::format(" and {} more", account.earlier.size() - named);
  return text;
}

}  // namespace gatehouse::dlp
