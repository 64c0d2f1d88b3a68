// Reads a stream of server-sent events (WHATWG HTML section 9.2) from a server that is not trusted, in pieces cut
// anywhere. Passive.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxEventIdBytes = 1024;
inline constexpr std::chrono::milliseconds kLongestRetry{60'000};  // that a server may ask for

class EventReader {
 public:
  // Bounds a line, and an event's data.
  explicit EventReader(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Calls `use(std::string_view data)` for each message: an event that has data, of no other type than "message". What
  // is over the limit is an error, and the reader of no use any more.
  template <class Use>
  Result<void> feed(std::string_view bytes, Use use) {
    while (!bytes.empty()) {
      const auto taken = take_line(bytes);
      if (!taken) return failed(taken);
      bytes.remove_prefix(*taken);
      if (!whole_) continue;
      whole_ = false;
      if (!line_.empty()) {
        if (auto ok = take_field(); !ok) return ok;
      } else if (end_event()) {
        use(std::string_view(data_));
        data_.clear();
      }
      line_.clear();
    }
    return {};
  }

  // Of the last event that had one; empty before. ASCII without control characters: it can stand in a field of HTTP.
  const std::string& last_id() const { return last_id_; }
  // How long the server wants to be left alone before its stream is asked for again.
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  Result<size_t> take_line(std::string_view bytes);  // how much of it belongs to the line under way
  Result<void> take_field();
  bool end_event();  // whether it is a message

  size_t max_bytes_;
  std::string line_;
  bool whole_ = false;     // line_ is
  bool after_cr_ = false;  // a line feed belongs to the end of line before
  bool began_ = false;     // the first line is over: no byte order mark follows
  std::string data_;
  bool has_data_ = false;
  bool other_type_ = false;
  std::string id_;
  std::string last_id_;
  std::optional<std::chrono::milliseconds> retry_;
};

}  // namespace gatehouse::mcp
