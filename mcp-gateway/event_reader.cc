#include "mcp-gateway/event_reader.h"

#include <algorithm>
#include <charconv>

namespace gatehouse::mcp {

namespace {
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
}

Result<size_t> EventReader::take_line(std::string_view bytes) {
  if (std::exchange(after_cr_, false) && bytes.front() == '\n') return 1;
  const size_t end = bytes.find_first_of("\r\n");
  const size_t take = std::min(end, bytes.size());
  if (line_.size() + take > max_bytes_) return fail("a line of more than {} bytes", max_bytes_);
  line_ += bytes.substr(0, take);
  if (end == std::string_view::npos) return take;
  after_cr_ = bytes[end] == '\r';
  whole_ = true;
  if (!std::exchange(began_, true) && line_.starts_with(kByteOrderMark)) line_.erase(0, kByteOrderMark.size());
  return end + 1;
}

Result<void> EventReader::take_field() {
  const std::string_view line = line_;
  const size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (data_.size() + value.size() > max_bytes_) return fail("an event of more than {} bytes", max_bytes_);
    if (std::exchange(has_data_, true)) data_ += '\n';
    data_ += value;
  } else if (name == "event") {
    other_type_ = !value.empty() && value != "message";
  } else if (name == "id") {
    const bool sound = value.size() <= kMaxEventIdBytes &&
                       std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (sound) id_ = value;
  } else if (name == "retry") {
    uint32_t milliseconds = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    if (read.ec == std::errc() && read.ptr == value.data() + value.size()) {
      retry_ = std::min(std::chrono::milliseconds(milliseconds), kLongestRetry);
    }
  }
  return {};
}

bool EventReader::end_event() {
  last_id_ = id_;
  const bool message = std::exchange(has_data_, false) && !other_type_ && !data_.empty();
  other_type_ = false;
  if (!message) data_.clear();
  return message;
}

}  // namespace gatehouse::mcp
