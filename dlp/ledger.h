// What has been seen of each known secret, by whichever door it went: pieces too small to be denied one by one add up.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "common/dlp/finding.h"
#include "dlp/known_secrets.h"

namespace gatehouse::dlp {

inline constexpr std::chrono::seconds kLedgerWindow{3600};
inline constexpr size_t kMaxLedgerPieces = 16;  // remembered of one secret, for naming them; what they covered stays

// Shared by all threads. Of each secret it keeps when each byte was last seen, which no amount of pieces makes larger,
// and the latest pieces in words. Limit: a piece is what a SecretReader reports, kMinPieceBytes that look random;
// smaller ones are caught only where they are joined again in their order (locations "query", "names").
class FragmentLedger {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One sighting: positions of the secret, and which stream they went by.
  struct Piece {
    Span positions;
    std::string host, channel, trace_id;
    Time when;
  };

  struct Account {
    size_t seen = 0;             // bytes of it that count, within the window, with this piece
    size_t counted = 0;          // of all its bytes
    bool full = false;           // seen is at or over the secret's threshold
    std::vector<Piece> earlier;  // of other exchanges within the window, oldest first
  };

  // `secrets` outlives the ledger.
  explicit FragmentLedger(const KnownSecrets& secrets, std::chrono::seconds window = kLedgerWindow);

  // Enters a piece of secrets()[secret]. What was seen before is only seen again: it adds nothing and stays longer.
  Account add(uint32_t secret, Span positions, const StreamInfo& stream, Time now);

 private:
  struct Page {
    std::vector<Time> last_seen;  // by position; empty until something is seen
    std::deque<Piece> pieces;     // oldest first
  };

  const KnownSecrets& secrets_;
  const std::chrono::seconds window_;
  std::mutex mutex_;
  std::vector<Page> pages_;
};

// "16 of its 40 bytes seen within the hour, with pieces sent to a.example (dns, trace 01..., 3 min ago)".
std::string describe(const FragmentLedger::Account& account, FragmentLedger::Time now);

}  // namespace gatehouse::dlp
