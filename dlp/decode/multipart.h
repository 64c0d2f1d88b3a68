// Multipart bodies, part by part (RFC 2046 section 5.1, RFC 7578).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/decode/coded_stream.h"
#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxPartHeaderBytes = 16 * 1024;  // more of them is taken for content
inline constexpr size_t kMaxBoundaryBytes = 200;          // RFC 2046 allows 70
inline constexpr size_t kMaxBoundaries = 4;               // taken from a content type

bool is_multipart(std::string_view content_type);

// A piece that is multipart/*. Into the layer "form" goes everything but the delimiter lines, a piece each:
//   "part-header"            a part's header lines as sent
//   "form-name", "file-name" what they call the field and the file, without quotes and backslashes
//   "form:NAME", "file:NAME" its content, with its own Content-Type, Content-Encoding and Content-Transfer-Encoding
//   "part"                   content without a name, and what stands before the first and after the last delimiter
// Lines may end in LF; the last delimiter may be missing. The boundary is each one the content type gives (readers
// differ in which of two they take) and, if the first line looks like a delimiter of another, that one too.
class Multipart : public Follower {
 public:
  Multipart(DecoderHost& host, std::string kind, uint64_t origin, std::string_view content_type);

  bool feed(std::string_view bytes) override;
  void finish() override;
  Span span() const override { return {.plain = true}; }

 private:
  enum class Stage { first_line, content, delimiter, header };
  enum class Line { other, delimiter, last_delimiter };

  void read(std::string_view bytes);
  // Each takes some of `bytes`, or changes the state.
  size_t read_content(std::string_view bytes);
  size_t read_delimiter(std::string_view bytes);
  size_t read_header(std::string_view bytes);

  void end_of_first_line();
  void end_of_delimiter();
  void end_of_header_line();
  void end_of_header();
  void begin_part(Line delimiter);
  void end_part();

  bool may_be_delimiter(std::string_view begin) const;
  Line line_of(std::string_view line) const;
  void release_held();
  void write_content(std::string_view content);
  void write_name(std::string_view label, std::string_view name);
  void write_piece(std::string_view label, std::string_view bytes, uint64_t origin, Copied copied);

  DecoderHost& host_;
  std::string kind_;
  uint64_t offset_;                      // of what was read, in the layer
  std::vector<std::string> delimiters_;  // "--boundary"
  Stage stage_ = Stage::first_line;
  bool wanted_ = true;

  // In content: a line end, and as much of the line after it as may be a delimiter.
  std::string held_;
  size_t held_line_ = 0;    // where in held_ the line begins
  bool line_begun_ = true;  // false: no line end is held, or only its CR
  // In a header: its lines so far. At first: the first line.
  std::string header_;
  size_t header_line_ = 0;     // where the last one begins
  uint64_t header_start_ = 0;  // in the layer

  Piece part_;                           // whose content comes
  std::unique_ptr<PieceWriter> writer_;  // of that content, once there is some
};

}  // namespace gatehouse::dlp
