// What reads a layer: the bytes of a part as sent, or as some decoder made them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/dlp/finding.h"

namespace gatehouse::dlp {

struct Rule;

// Something a reader found in its layer.
struct Match {
  const Rule* rule = nullptr;  // outlives the scan
  uint64_t begin = 0;          // of the secret, in the layer's bytes since its last end(); boundary() counts on
  uint64_t end = 0;
  std::string_view secret;                       // valid during the call only; may be cut to kMaxMatchBytes
  FindingAction severity = FindingAction::deny;  // the rule's, or its `unconfirmed`
  Confidence confidence = Confidence::medium;
  std::string detail;
};
using OnMatch = std::function<void(const Match&)>;

// Reads the bytes of one layer in whatever pieces they come and reports each match once, however it is cut. Bytes are
// valid during the call only.
class LayerReader {
 public:
  virtual ~LayerReader() = default;
  virtual void write(std::string_view bytes, const OnMatch& on_match) = 0;
  // A verdict is asked for on what was written so far, which may go its way before the rest comes: reports what can be
  // told of it without the rest. A match that later turns out to be longer is reported again, as it is then.
  virtual void check(const OnMatch& on_match) { static_cast<void>(on_match); }
  // No match spans what was before and what follows: the next piece of decoded text, the next form field.
  virtual void boundary(const OnMatch& on_match) = 0;
  // The layer is over: reports what was still waiting for more, and is as new.
  virtual void end(const OnMatch& on_match) = 0;
};

// Makes the readers of one stream's layers (all rules for its direction; known secrets). One for each worker thread:
// readers of one source share its scratch space and are used by one thread.
class ReaderSource {
 public:
  virtual ~ReaderSource() = default;
  // The stream outlives its readers.
  virtual std::vector<std::unique_ptr<LayerReader>> open(const StreamInfo& stream) = 0;
};

}  // namespace gatehouse::dlp
