// The scanner's side of one connection (common/dlp/protocol.h). Passive: a gate's bytes in, verdicts out. Data are read
// where they lie, so that a connection holds no more than one control frame, whatever it is sent.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/dlp/finding.h"
#include "common/dlp/protocol.h"
#include "dlp/judgement.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxControlFrameBytes = 64 * 1024;  // all but data
inline constexpr size_t kStepBytes = 16 * 1024;             // of data, between which others may have their turn

// What looks into one stream.
class StreamScan {
 public:
  virtual ~StreamScan() = default;
  virtual void part(const PartInfo& part) = 0;  // begins the next one, which ends the one before
  virtual void write(std::string_view bytes) = 0;
  virtual void finish() = 0;  // nothing but questions follows
  // What was found since the last time.
  virtual std::vector<Finding> take_findings() = 0;
  // How many findings of the whole stream were too many to be kept, each of the same rule and severity as one that was.
  virtual uint64_t dropped() const = 0;
};
// The stream outlives what is made for it.
using OpenScan = std::function<std::unique_ptr<StreamScan>(const StreamInfo& stream)>;

class Session {
 public:
  // Both outlive the session.
  Session(const OpenScan& open_scan, const JudgeFinding& judge);
  ~Session();

  // Does a step's work with bytes as they arrived and says how many it took, at least one: hand it the rest again. An
  // error is a breach of the protocol, after which the connection is closed.
  Result<size_t> advance(std::string_view bytes);

  // What is to be sent; asking takes it.
  std::string take_output();

  // A stream has been opened and not ended.
  bool in_stream() const { return stream_ != nullptr; }

 private:
  struct Stream;

  Result<void> begin_frame();
  Result<void> read_control(std::string_view payload);
  Result<void> open(std::string_view payload);
  Result<void> begin_part(std::string_view payload);
  void answer();
  FrameType type() const { return static_cast<FrameType>(header_.back()); }

  const OpenScan& open_scan_;
  const JudgeFinding& judge_;
  bool greeted_ = false;
  std::unique_ptr<Stream> stream_;
  std::array<uint8_t, ipc::kFrameHeaderBytes> header_{};
  size_t header_read_ = 0;
  size_t payload_left_ = 0;  // of the frame whose header has been read
  std::string control_;      // its payload as far as it has come, unless it is data
  std::string output_;
};

}  // namespace gatehouse::dlp
