#include "common/policy/path_glob.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/policy/request_path.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kAnySegments = "**";

bool starts_with(std::string_view text, std::string_view prefix, Case letters) {
  return text.size() >= prefix.size() && glob_matches(prefix, text.substr(0, prefix.size()), letters);
}

bool segment_matches(std::string_view glob, std::string_view text, Case letters) {
  return text.empty() ? glob.empty() : glob_matches(glob, text, letters);
}

// Walks the segments of a path without copying them.
struct SegmentCursor {
  std::string_view path;
  size_t at = 1;  // after a slash; past the end when there are no more

  bool done() const { return at > path.size(); }
  std::string_view segment() const { return path.substr(at, path.find('/', at) - at); }
  void next() {
    const size_t slash = path.find('/', at);
    at = slash == std::string_view::npos ? path.size() + 1 : slash + 1;
  }
};

Result<void> check_segment(std::string_view segment, bool last) {
  if (segment.empty() && !last) return fail("has an empty segment ('//'), which is never matched");
  if (segment == "." || segment == "..") return fail("has a dot segment, and requests with those are always denied");
  if (segment != kAnySegments && segment.find(kAnySegments) != std::string_view::npos) {
    return fail("has '**' inside a segment; it stands alone between slashes, as in /a/**/b");
  }
  return {};
}

}  // namespace

Result<PathGlob> PathGlob::parse(std::string_view text) {
  const std::string shown = log::printable(text, 100);
  if (!text.starts_with('/')) return fail("path '{}' must begin with '/'", shown);
  for (const char c : text) {
    if (c == '?' || c == '#')
      return fail("path '{}' must not have a query or fragment; rules match the path alone", shown);
    if (std::string_view("[]{}\\").find(c) != std::string_view::npos) {
      return fail("path '{}': '{}' is not supported; only * and ** are special", shown, c);
    }
    if (c <= 0x20 || c >= 0x7f) return fail("path '{}' must be printable ASCII; write * for other characters", shown);
  }
  if (!has_valid_escapes(text)) return fail("path '{}' has a '%' that is not followed by two hex digits", shown);

  PathGlob glob;
  glob.text_ = text;
  for (SegmentCursor cursor{text}; !cursor.done(); cursor.next()) {
    const std::string_view segment = cursor.segment();
    const bool last = cursor.at + segment.size() == text.size();
    if (auto ok = check_segment(segment, last); !ok) return fail("path '{}' {}", shown, ok.error().message());
    glob.segments_.emplace_back(segment);
  }
  glob.prefix_ = text.substr(0, text.find('*'));
  // A trailing or inner "**" may stand for no segment, and the slash before it goes with it.
  if (text.substr(glob.prefix_.size()).starts_with(kAnySegments)) glob.prefix_.pop_back();
  return glob;
}

bool PathGlob::matches(std::string_view path, Case letters) const {
  if (path.empty() || !starts_with(path, prefix_, letters)) return false;
  SegmentCursor cursor{path};
  SegmentCursor resume = cursor;
  size_t g = 0;
  size_t any = std::string::npos;
  while (!cursor.done()) {
    if (g < segments_.size() && segments_[g] == kAnySegments) {
      any = g++;
      resume = cursor;
    } else if (g < segments_.size() && segment_matches(segments_[g], cursor.segment(), letters)) {
      ++g;
      cursor.next();
    } else if (any != std::string::npos) {
      g = any + 1;
      resume.next();
      cursor = resume;
    } else {
      return false;
    }
  }
  return std::all_of(segments_.begin() + static_cast<std::ptrdiff_t>(g), segments_.end(),
                     [](const std::string& segment) { return segment == kAnySegments; });
}

}  // namespace gatehouse::policy
