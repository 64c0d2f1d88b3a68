#include "proxy/telemetry/event_stream_reader.h"

#include <algorithm>

namespace gatehouse::proxy {

namespace {
constexpr std::string_view kName = "data";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
}  // namespace

void EventStreamReader::feed(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const char c = bytes[at];
    if (!started_ && bom_ < kByteOrderMark.size() && c == kByteOrderMark[bom_]) {
      ++bom_;
      ++at;
      continue;
    }
    started_ = true;
    const bool second_half = after_cr_ && c == '\n';
    after_cr_ = c == '\r';
    if (second_half) {
      ++at;
      continue;
    }
    if (c == '\r' || c == '\n') {
      end_line();
      ++at;
      continue;
    }
    switch (state_) {
      case State::begin:
        state_ = State::name;
        matched_ = 0;
        [[fallthrough]];
      case State::name:
        if (c == ':') {
          state_ = State::space;
          is_data_ = matched_ == kName.size();
        } else {
          matched_ = matched_ < kName.size() && c == kName[matched_] ? matched_ + 1 : kName.size() + 1;
        }
        ++at;
        continue;
      case State::space:
        state_ = State::value;
        if (is_data_ && has_data_) listener_.on_data("\n");
        has_data_ = has_data_ || is_data_;
        if (c == ' ') {
          ++at;
          continue;
        }
        [[fallthrough]];
      case State::value: {
        const size_t end = std::min(bytes.find_first_of("\r\n", at), bytes.size());
        if (is_data_) listener_.on_data(bytes.substr(at, end - at));
        at = end;
        continue;
      }
    }
  }
}

void EventStreamReader::end_line() {
  if (state_ == State::begin) {
    if (has_data_) listener_.on_event_end();
    has_data_ = false;
  }
  const bool bare = state_ == State::name && matched_ == kName.size();  // "data" alone, or "data:": an empty line of it
  if (bare || (state_ == State::space && is_data_)) {
    if (has_data_) listener_.on_data("\n");
    has_data_ = true;
  }
  state_ = State::begin;
  is_data_ = false;
}

void EventStreamReader::finish() {
  if (state_ != State::begin) end_line();
  end_line();
}

}  // namespace gatehouse::proxy
