// The answer to one HTTP request: JSON, whole, or a stream of events.
#pragma once

#include <functional>
#include <string_view>

namespace gatehouse::mcp {

class HttpReply {
 public:
  virtual ~HttpReply() = default;

  // The whole of it. `session`: the id of a session that this one opens, or "". `body`: JSON; may be empty.
  virtual void answer(int status, std::string_view session, std::string_view body) = 0;
  // Or: a stream of events (WHATWG HTML section 9.2), each with its empty line.
  virtual void begin_events() = 0;
  virtual void write_events(std::string_view events) = 0;
  virtual void end_events() = 0;
  // The client does not read what it is sent: what need not be said is not.
  virtual bool crowded() const = 0;

  // Set by whoever still owes the answer, or its end: called when nobody reads it any more.
  std::function<void()> gone;
};

}  // namespace gatehouse::mcp
