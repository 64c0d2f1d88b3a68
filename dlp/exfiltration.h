// Structured exfiltration: data that leave as many small values which nothing knows, in paths, parameters, headers,
// cookies and names, rather than in a body. Scored by destination, and worth a warning only.
//
// A value is cut into words of letters and digits; a word of 8 bytes or more that looks random counts once within the
// window, with the information its alphabet can carry. What ordinary clients send a lot of counts an eighth: UUIDs and
// hex of a hash's or an id's usual length, and whatever stands where such things belong (cursors, signatures, request
// ids, entity tags); an eighth of that where both hold. Who hides within these limits, in words of fewer than 8 bytes,
// in letters of one case alone, or under the thresholds, is not seen here.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/dlp/finding.h"

namespace gatehouse::dlp {

inline constexpr std::chrono::minutes kScoreWindow{10};
inline constexpr size_t kScoredDestinations = 512;   // about 4 KiB each; of more the longest unused is forgotten
inline constexpr size_t kMaxScoredWordBytes = 4096;  // a longer one is several

// Shared by all threads.
class ExfiltrationScore {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ExfiltrationScore();

  // Enters a word of so many bits of information, sent to `host` by `channel`. A finding when this is what makes it too
  // much, once in a window: location, part and action are the caller's to fill in.
  std::optional<Finding> add(const StreamInfo& stream, std::string_view word, double bits, Time now);

  // Where a host belongs: the last two labels of a name, or three where the second is short ("co.uk"); an address
  // whole.
  static std::string_view destination(std::string_view host);

 private:
  // What was seen in half a window; a Bloom filter, so that hardly any word counts twice.
  struct Half {
    static constexpr size_t kFilterBits = 16384;
    std::array<uint64_t, kFilterBits / 64> filter{};
    size_t words = 0;
    double bits = 0;

    bool holds(uint64_t hash) const;
    void insert(uint64_t hash);
  };
  struct Score {
    std::string destination;
    std::array<Half, 2> halves;  // that of `period`, and the one before
    int64_t period = 0;
    int64_t warned = -2;  // in which period
  };

  uint64_t hash(std::string_view word) const;
  Score& score_of(std::string destination, int64_t period);

  const std::array<uint64_t, 2> key_;  // else a guest could choose words that the filter takes for known ones
  std::mutex mutex_;
  std::list<Score> scores_;  // latest used first
  std::map<std::string_view, std::list<Score>::iterator> by_destination_;
};

// Scores the parts of one stream as they are written. Bodies, joined parts ("query", "head", "names") and what comes in
// are passed over.
class ParameterScore {
 public:
  using Clock = std::function<ExfiltrationScore::Time()>;

  // Both outlive it, as `stream` does.
  ParameterScore(ExfiltrationScore& score, const StreamInfo& stream, Clock clock);

  void begin(const PartInfo& part);  // a part that was not ended is
  void write(std::string_view bytes);
  // Ends the part. A finding with its location, if this part made it too much.
  std::optional<Finding> end();

 private:
  void end_token();

  ExfiltrationScore& score_;
  const StreamInfo& stream_;
  const Clock clock_;
  bool scored_ = false;  // this part
  double weight_ = 1;    // of its words
  std::string location_;
  std::string token_;  // word characters and '-'
  std::optional<Finding> finding_;
};

}  // namespace gatehouse::dlp
