// The scanner's protocol: frames (common/ipc/frame.h) on a Unix stream socket, one stream at a time on a connection,
// any number of them one after the other. Back-pressure is the socket's own.
//
//   gate                                scanner
//   hello   {"version":1}          ->
//                                  <-   hello {"version":1}      once a connection; the gate need not wait for it
//   open    StreamInfo             ->
//   part    PartInfo               ->
//   data    bytes of that part     ->                            any number, of any part
//   check                          ->                            the stream goes on
//                                  <-   verdict ScanVerdict      what is new since the last one
//   end                            ->
//                                  <-   verdict ScanVerdict      and the connection is ready for the next open
//
// The hello is JSON, so that it can be read whatever the version. All other payloads are binary, since names, hosts and
// places are the guest's bytes, which JSON cannot carry, and a request of fifteen headers has thirty of these frames:
// numbers are little-endian, a string is a u16 length and that many bytes.
//
//   open     channel, u8 direction (0 out, 1 in), host, trace id
//   part     location, content type, content encoding
//   verdict  u8 outcome (0 allow, 1 redact, 2 deny), u16 findings, u16 redactions, then these:
//   finding  rule, category, title, u8 severity, u8 action (0 exempt, 1 warn, 2 redact, 3 deny), exemption,
//            u8 confidence (0 low, 1 medium, 2 high), u32 part, location, path, u64 offset, u64 length, prefix,
//            fingerprint, detail
//   redaction  u32 part, u64 offset, u64 length
//
// A side that reads something else than this closes the connection; a gate then denies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/dlp/finding.h"
#include "common/ipc/frame.h"

namespace gatehouse::dlp {

inline constexpr int kProtocolVersion = 1;

enum class FrameType : uint8_t { hello = 1, open = 2, part = 3, data = 4, check = 5, end = 6, verdict = 7 };

inline constexpr size_t kMaxFrameBytes = 256 * 1024;  // of a payload, data included
inline constexpr size_t kMaxInfoBytes = 16 * 1024;    // of each string of StreamInfo and PartInfo
inline constexpr size_t kMaxShownBytes = 512;         // of each string of a finding, and of a location
inline constexpr size_t kMaxRedactions = 1024;        // of one verdict; what would need more is denied
inline constexpr size_t kMaxParts = 4096;             // of one stream

// Appends one frame. Encoding an info refuses a string over kMaxInfoBytes, which the scanner would have to judge by
// half: the gate denies. A location is a label and is cut to kMaxShownBytes.
void append_frame(std::string& out, FrameType type, std::string_view payload = {});
void append_hello(std::string& out);
Result<void> append_open(std::string& out, const StreamInfo& stream);
Result<void> append_part(std::string& out, const PartInfo& part);
void append_data(std::string& out, std::string_view bytes);  // in as many frames as it takes
// Strings of findings are cut to kMaxShownBytes. At most kMaxFindings findings and kMaxRedactions redactions
// (asserted).
void append_verdict(std::string& out, const ScanVerdict& verdict);

// Payloads as they come in; hostile. Refused: what is too short or too long, numbers out of range, another version; and
// a verdict that contradicts itself: allow with a finding that denies or redacts, redact without redactions or with a
// finding that denies, redactions out of order, overlapping or empty.
Result<void> decode_hello(std::string_view payload);
Result<StreamInfo> decode_open(std::string_view payload);
Result<PartInfo> decode_part(std::string_view payload);
Result<ScanVerdict> decode_verdict(std::string_view payload);

// The gate's side of what the scanner says on one connection: its hello, then a verdict for each question and nothing
// else. Passive.
class AnswerReader {
 public:
  AnswerReader() : frames_(kMaxFrameBytes) {}

  // A verdict has been asked for. One question at a time (asserted).
  void expect();
  bool expecting() const { return expecting_; }

  // The verdict once it is whole. An error is a breach of the protocol: the connection is of no use any more.
  Result<std::optional<ScanVerdict>> receive(std::string_view bytes);

 private:
  ipc::FrameReader frames_;
  bool greeted_ = false;
  bool expecting_ = false;
};

}  // namespace gatehouse::dlp
