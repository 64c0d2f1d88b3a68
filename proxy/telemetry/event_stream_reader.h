// Reads server-sent events (WHATWG HTML section 9.2) as they pass, in pieces cut anywhere: the data of each, and where
// it ends. Passive; keeps nothing but a field's name.
#pragma once

#include <string_view>

namespace gatehouse::proxy {

class EventStreamListener {
 public:
  virtual ~EventStreamListener() = default;
  virtual void on_data(std::string_view piece) = 0;  // valid during the call only; lines are joined by a line feed
  virtual void on_event_end() = 0;                   // of an event that has data
};

class EventStreamReader {
 public:
  explicit EventStreamReader(EventStreamListener& listener) : listener_(listener) {}

  void feed(std::string_view bytes);
  // The stream is over. An event that nothing ended is reported all the same: readers differ.
  void finish();

 private:
  enum class State { begin, name, space, value };
  void end_line();

  EventStreamListener& listener_;
  State state_ = State::begin;
  size_t matched_ = 0;     // bytes of the name, while they are those of "data"
  bool is_data_ = false;   // the line under way is of that field
  bool has_data_ = false;  // so was one of this event before
  bool after_cr_ = false;
  size_t bom_ = 0;  // bytes of a byte order mark that have come
  bool started_ = false;
};

}  // namespace gatehouse::proxy
