// How a gate asks the scanner. A scanner that is away, late or incomprehensible is an error, and the gate that gets one
// denies: there is no way to get a pass from here but a verdict that says so.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "common/base/result.h"
#include "common/dlp/finding.h"
#include "common/net/endpoint.h"
#include "common/net/loop.h"

namespace gatehouse::dlp {

// One stream under way. Destroying it abandons it and no callback follows. After an error everything written is
// dropped, queued() is 0 and every verdict asked for is that error.
class Scan {
 public:
  // Never from within a call of ours; it may destroy the scan.
  using OnVerdict = std::function<void(Result<ScanVerdict>)>;

  virtual ~Scan() = default;
  // Begins the next part; what was written before belongs to the one before.
  virtual void part(const PartInfo& part) = 0;
  // Bytes of the current part. The caller stops above kMaxScanQueuedBytes until on_drained.
  virtual void write(std::string_view bytes) = 0;
  virtual size_t queued() const = 0;
  // Called when everything that was to be sent has been taken, and after an error.
  virtual void on_drained(std::function<void()> callback) = 0;
  // Asks for the verdict on everything written so far; the stream goes on. For responses that pass piece by piece.
  // Findings are reported once: a later verdict holds the new ones, and a redaction in it may begin in bytes that an
  // earlier verdict let pass. One question at a time; more may be written meanwhile.
  virtual void check(OnVerdict on_verdict) = 0;
  // Ends the stream; the last verdict.
  virtual void finish(OnVerdict on_verdict) = 0;
};

inline constexpr size_t kMaxScanQueuedBytes = 256 * 1024;
inline constexpr size_t kMaxIdleScanConnections = 512;

// Keeps connections to the scanner and opens streams on them. Belongs to one loop, which outlives it, as it does its
// scans.
class ScanClient {
 public:
  // `deadline` is for each verdict asked for, connecting included, and for the scanner to take what is queued. More
  // than the policy's scan_time, so that the scanner's own words are heard.
  static std::unique_ptr<ScanClient> create(Loop& loop, Endpoint scanner, std::chrono::milliseconds deadline);
  // Asks for it at each stream anew.
  using Deadline = std::function<std::chrono::milliseconds()>;
  static std::unique_ptr<ScanClient> create(Loop& loop, Endpoint scanner, Deadline deadline);
  virtual ~ScanClient() = default;
  virtual std::unique_ptr<Scan> open(const StreamInfo& stream) = 0;
};

// The strictest finding in words for whoever is denied: "a GitHub personal access token (ghp_...) in the body, encoded
// as gzip>json>base64". Holds nothing of the secret but its prefix.
std::string describe(const Finding& finding);

}  // namespace gatehouse::dlp
