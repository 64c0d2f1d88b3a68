// Finds the known secrets in a layer: whole, backwards, as the bytes they encode, and in pieces.
//
// Every run of a few bytes of every form of the secrets is in a GramIndex; the reader looks at every few bytes of its
// input and, where a run is met, follows it in both directions for as long as input and form agree. White space within
// a private key is passed over. Encodings are no concern of this reader: each decoded layer has one of its own.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "dlp/known_secrets.h"
#include "dlp/layer_reader.h"
#include "dlp/ledger.h"

namespace gatehouse::dlp {

using Clock = std::function<std::chrono::steady_clock::time_point()>;

// Reports a whole secret by the rule "known-secret", a decoy by "canary" (its fragments of kMinFragmentBytes too), and
// what went out of a secret in pieces by "secret-fragment": severity warn below the secret's threshold, deny from it
// on. Pieces that come in are not reported: what tells the guest nothing new adds to nothing. Match::secret is the
// secret itself whatever was met of it, so that all its findings have one fingerprint; begin and end are what was met.
// A whole one is reported within the write() that completes it, a fragment once it cannot become longer.
// Offsets count from the last end().
class SecretReader : public LayerReader {
 public:
  static constexpr size_t kHistoryBytes = 64;  // how far before an indexed run its surroundings are compared

  // All outlive the reader.
  SecretReader(const KnownSecrets& secrets, FragmentLedger& ledger, const StreamInfo& stream, const Clock& clock);

  void write(std::string_view bytes, const OnMatch& on_match) override;
  void boundary(const OnMatch& on_match) override;
  void end(const OnMatch& on_match) override;

 private:
  // Where input and a form agree.
  struct Track {
    uint32_t form = 0;
    Span matched;         // of the form
    uint64_t begin = 0;   // of the input
    uint64_t end = 0;     // after the last byte that matched
    uint64_t cursor = 0;  // the next byte to compare
    uint64_t anchor = 0;  // where the run was met
    bool open = true;     // may become longer
    bool reported = false;
  };
  // Consecutive bytes of the input, with some that came before.
  struct View {
    const char* data;
    uint64_t begin;
    uint64_t end;
    char at(uint64_t position) const { return data[position - begin]; }
  };

  void scan(const View& view, const OnMatch& on_match);
  void scan_kept(const OnMatch& on_match);
  void sample(const GramIndex& grams, uint64_t& next, const View& view, size_t needed);
  void meet(const GramIndex& grams, uint64_t hash, uint64_t position, const View& view);
  void follow(const View& view, uint64_t limit);
  void extend(Track& track, const View& view, uint64_t limit) const;
  bool agree(const KnownForm& form, uint32_t offset, char c) const;
  bool is_whole(const Track& track) const;
  bool worth_keeping(const Track& track) const;
  void report_until(uint64_t bound, const OnMatch& on_match);
  void report(const Track& track, const OnMatch& on_match);

  const KnownSecrets& secrets_;
  FragmentLedger& ledger_;
  const StreamInfo& stream_;
  const Clock& clock_;
  const bool caseless_;

  // The end of what was written before, then room for the start of what comes.
  static constexpr size_t kKeptBytes = kHistoryBytes + GramIndex::kLoadBytes;
  std::array<char, 2 * kKeptBytes + GramIndex::kLoadBytes> joint_{};
  size_t kept_ = 0;
  uint64_t position_ = 0;    // of the next byte written
  uint64_t next_ = 0;        // to be looked up in grams()
  uint64_t next_short_ = 0;  // in short_grams()
  std::vector<Track> tracks_;
};

// Shared by nobody: one for each worker thread. With no secrets it opens no reader.
class SecretReaderSource : public ReaderSource {
 public:
  // All outlive the source and its readers.
  SecretReaderSource(const KnownSecrets& secrets, FragmentLedger& ledger, Clock clock)
      : secrets_(secrets), ledger_(ledger), clock_(std::move(clock)) {}

  std::vector<std::unique_ptr<LayerReader>> open(const StreamInfo& stream) override;

 private:
  const KnownSecrets& secrets_;
  FragmentLedger& ledger_;
  const Clock clock_;
};

}  // namespace gatehouse::dlp
