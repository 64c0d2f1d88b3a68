#include "dlp/decode/multipart.h"

#include <algorithm>
#include <array>

#include "dlp/decode/header_field.h"
#include "dlp/decode/labels.h"

namespace gatehouse::dlp {

namespace {

constexpr std::string_view kDashes = "--";
constexpr std::string_view kLineEnds = "\r\n";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr size_t kMaxFieldBytes = 1024;                             // of a header's value, as told of the part
constexpr size_t kMaxDelimiterLineBytes = kMaxBoundaryBytes + 256;  // padding included

std::string_view without_end(std::string_view line) { return line.substr(0, line.find_last_not_of(kBlanks) + 1); }

}  // namespace

bool is_multipart(std::string_view content_type) { return field_type(content_type).starts_with("multipart/"); }

Multipart::Multipart(DecoderHost& host, std::string kind, uint64_t origin, std::string_view content_type)
    : host_(host), kind_(std::move(kind)), offset_(origin) {
  for (const auto& parameter : field_parameters(content_type)) {
    const bool usable = !parameter.value.empty() && parameter.value.size() <= kMaxBoundaryBytes &&
                        parameter.value.find_first_of(kLineEnds) == std::string::npos;
    if (parameter.name == "boundary" && usable && delimiters_.size() < kMaxBoundaries) {
      delimiters_.push_back(std::string(kDashes) + parameter.value);
    }
  }
  part_ = {offset_, "part", {}, {}};
}

bool Multipart::feed(std::string_view bytes) {
  read(bytes);
  if (!wanted_) end_part();
  return wanted_;
}

void Multipart::read(std::string_view bytes) {
  while (!bytes.empty() && wanted_) {
    size_t taken = 0;
    switch (stage_) {
      case Stage::first_line: {
        const char next = bytes[0];
        bytes.remove_prefix(1);
        header_ += next;
        // It is read again as content once it is known whether it is a delimiter.
        const bool may_be = header_.size() <= kDashes.size() ? next == '-' : next != '\n';
        if (!may_be || header_.size() > kMaxDelimiterLineBytes) end_of_first_line();
        continue;
      }
      case Stage::content:
        taken = read_content(bytes);
        break;
      case Stage::delimiter:
        taken = read_delimiter(bytes);
        break;
      case Stage::header:
        taken = read_header(bytes);
        break;
    }
    bytes.remove_prefix(taken);
  }
}

void Multipart::end_of_first_line() {
  const std::string line = std::move(header_);
  header_.clear();
  const auto text = without_end(line);
  if (text.size() > kDashes.size() && text.size() <= kDashes.size() + kMaxBoundaryBytes && text.starts_with(kDashes) &&
      line_of(line) == Line::other) {
    delimiters_.emplace_back(text);
  }
  stage_ = Stage::content;
  read(line);
  // Empty lines in front are not the first.
  if (line == "\r" || line == "\n") stage_ = Stage::first_line;
}

bool Multipart::may_be_delimiter(std::string_view begin) const {
  return std::any_of(delimiters_.begin(), delimiters_.end(),
                     [&](const std::string& delimiter) { return delimiter.starts_with(begin); });
}

Multipart::Line Multipart::line_of(std::string_view line) const {
  for (const auto& delimiter : delimiters_) {
    if (!line.starts_with(delimiter)) continue;
    const auto rest = line.substr(delimiter.size());
    if (without_end(rest).empty()) return Line::delimiter;
    if (rest.starts_with(kDashes)) return Line::last_delimiter;
  }
  return Line::other;
}

size_t Multipart::read_content(std::string_view bytes) {
  if (held_.empty() && !line_begun_) {
    // To the next line end that a delimiter may follow.
    size_t end = bytes.find('\n');
    while (end != std::string_view::npos && end + 2 < bytes.size() && bytes.compare(end + 1, 2, kDashes) != 0) {
      end = bytes.find('\n', end + 1);
    }
    const bool line_end = end != std::string_view::npos;
    if (!line_end) end = bytes.size();
    const size_t content = end > 0 && bytes[end - 1] == '\r' ? end - 1 : end;
    if (line_end) ++end;
    write_content(bytes.substr(0, content));
    offset_ += end;
    held_ = bytes.substr(content, end - content);
    held_line_ = held_.size();
    line_begun_ = line_end;
    return end;
  }
  const char next = bytes[0];
  if (!line_begun_) {
    if (next != '\n') {
      release_held();
      return 0;
    }
    held_ += next;
    held_line_ = held_.size();
    line_begun_ = true;
  } else {
    const std::string line = held_.substr(held_line_) + next;
    if (!may_be_delimiter(line)) {
      release_held();
      return 0;
    }
    held_ += next;
    if (std::find(delimiters_.begin(), delimiters_.end(), line) != delimiters_.end()) stage_ = Stage::delimiter;
  }
  ++offset_;
  return 1;
}

void Multipart::release_held() {
  write_content(held_);
  held_.clear();
  held_line_ = 0;
  line_begun_ = false;
}

size_t Multipart::read_delimiter(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  const size_t room = kMaxDelimiterLineBytes - std::min(kMaxDelimiterLineBytes, held_.size() - held_line_);
  const size_t taken = std::min({end == std::string_view::npos ? bytes.size() : end + 1, bytes.size(), room + 1});
  held_ += bytes.substr(0, taken);
  offset_ += taken;
  if (held_.ends_with('\n') || taken > room) end_of_delimiter();
  return taken;
}

void Multipart::end_of_delimiter() {
  const Line line = line_of(std::string_view(held_).substr(held_line_));
  if (line != Line::other) {
    held_.clear();
    held_line_ = 0;
    end_part();
    return begin_part(line);
  }
  // A longer line than the delimiter: content, but for the line end that another may follow.
  stage_ = Stage::content;
  const size_t content = std::string_view(held_).find_last_not_of(kLineEnds) + 1;
  const std::string line_end = held_.ends_with('\n') ? held_.substr(content) : std::string();
  held_.resize(held_.size() - line_end.size());
  release_held();
  held_ = line_end;
  held_line_ = held_.size();
  line_begun_ = !line_end.empty();
}

void Multipart::begin_part(Line delimiter) {
  part_ = {offset_, "part", {}, {}};
  header_start_ = offset_;
  header_.clear();
  header_line_ = 0;
  line_begun_ = true;
  stage_ = delimiter == Line::delimiter ? Stage::header : Stage::content;
}

size_t Multipart::read_header(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  const size_t room = kMaxPartHeaderBytes - header_.size();
  const size_t taken = std::min({end == std::string_view::npos ? bytes.size() : end + 1, bytes.size(), room});
  header_ += bytes.substr(0, taken);
  offset_ += taken;
  if (header_.ends_with('\n')) {
    end_of_header_line();
  } else if (taken == room) {
    end_of_header();
    line_begun_ = false;
  }
  return taken;
}

void Multipart::end_of_header_line() {
  const std::string line = header_.substr(header_line_);
  const Line delimiter = line_of(line);
  if (line == "\n" || line == "\r\n" || delimiter != Line::other) {
    header_.resize(header_line_);
    end_of_header();
    if (delimiter != Line::other) begin_part(delimiter);
  } else {
    header_line_ = header_.size();
    if (header_.size() == kMaxPartHeaderBytes) end_of_header();
  }
}

void Multipart::end_of_header() {
  std::string name, file, coding, transfer;
  each_field(header_, [&](std::string_view field, std::string_view value) {
    if (field == "content-type") part_.content_type = value.substr(0, kMaxFieldBytes);
    if (field == "content-encoding") coding = value.substr(0, kMaxFieldBytes);
    if (field == "content-transfer-encoding") transfer = value.substr(0, kMaxFieldBytes);
    if (field != "content-disposition") return;
    for (const auto& parameter : field_parameters(value)) {
      if (parameter.name == "name") name = parameter.value;
      if (parameter.name == "filename" || parameter.name == "filename*") {
        write_name("file-name", parameter.value);
        file = parameter.value;
      }
    }
  });
  write_piece("part-header", header_, header_start_, Copied::yes);
  write_name("form-name", name);
  part_.origin = offset_;
  part_.label = !file.empty() ? label("file", file) : !name.empty() ? label("form", name) : "part";
  part_.content_encoding = coding + (coding.empty() || transfer.empty() ? "" : ", ") + transfer;
  header_.clear();
  stage_ = Stage::content;
  held_.clear();
  held_line_ = 0;
  line_begun_ = true;
}

void Multipart::write_content(std::string_view content) {
  if (content.empty() || !wanted_) return;
  if (!writer_) writer_ = std::make_unique<PieceWriter>(host_, kind_, part_, Copied::yes);
  wanted_ = writer_->write(content);
}

// Most names stand in the header as they are.
void Multipart::write_name(std::string_view label, std::string_view name) {
  const size_t at = header_.find(name);
  const bool copied = at != std::string::npos;
  write_piece(label, name, header_start_ + (copied ? at : 0), copied ? Copied::yes : Copied::no);
}

void Multipart::write_piece(std::string_view label, std::string_view bytes, uint64_t origin, Copied copied) {
  if (bytes.empty() || !wanted_) return;
  PieceWriter piece(host_, kind_, {origin, std::string(label), {}, {}}, copied);
  wanted_ = piece.write(bytes);
  piece.end(true);
}

void Multipart::end_part() {
  if (writer_) writer_->end(true);
  writer_ = nullptr;
}

void Multipart::finish() {
  if (stage_ == Stage::first_line) end_of_first_line();
  if (stage_ == Stage::delimiter) end_of_delimiter();
  if (stage_ == Stage::header) {
    if (line_of(std::string_view(header_).substr(header_line_)) != Line::other) header_.resize(header_line_);
    end_of_header();
  }
  if (stage_ == Stage::content) release_held();
  end_part();
}

}  // namespace gatehouse::dlp
