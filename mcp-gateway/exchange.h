// A client's request while a server works on it, through whatever the server asks in between. A client of the session
// era answers on the spot; one of 2026-07-28 is answered with the questions, and comes back with its answers by another
// request (basic/patterns/mrtr): until then it is held here, under a state that cannot be guessed and serves once.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mcp-gateway/call.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxHeldExchanges = 256;  // above it the oldest is given up
inline constexpr std::chrono::minutes kHeldTime = kQuestionTime;

class Exchange {
 public:
  // None destroys the exchange from within but `done`, and `asked`, which may move its owner.
  struct Listener {
    std::function<void(Call::Outcome)> done;
    std::function<void(Said)> said;
    std::function<void(const Value& fresh)> asked;  // questions that are new, by key; none: it wants to be asked again
  };

  // What a call is made with; it is given to own() then.
  Call::Callbacks callbacks();
  void own(std::unique_ptr<Call> call) { call_ = std::move(call); }

  // Who hears of it from now on. What was asked and not answered is asked again; what it came to meanwhile is told.
  void attach(Listener listener) { listener_ = std::move(listener); }
  void detach() { listener_ = {}; }
  std::optional<Call::Outcome> take_outcome() { return std::exchange(outcome_, std::nullopt); }

  // Questions that are out and not answered, by key: "method" and "params" each.
  const Value& open() const { return open_; }
  bool waits() const { return waits_; }  // for the client
  // Each by its key: {"result": …} or {"error": …}; keys that are none are passed over. Once nothing is open any more
  // the server is told.
  void answer(const Value& responses);

  std::string digest;  // of what was asked for: who comes back must ask for the same

 private:
  std::unique_ptr<Call> call_;
  Listener listener_;
  std::optional<Call::Outcome> outcome_;  // that nobody heard
  Value open_ = Value::object();
  Value answers_ = Value::object();
  bool waits_ = false;
};

class HeldExchanges {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The state by which it is taken.
  std::string hold(std::unique_ptr<Exchange> exchange, Time now);
  // Null: there is none, or no longer.
  std::unique_ptr<Exchange> take(std::string_view state);
  void tick(Time now);
  size_t size() const { return held_.size(); }

 private:
  struct Held {
    std::unique_ptr<Exchange> exchange;
    Time since;
  };
  std::map<std::string, Held, std::less<>> held_;
};

// Not to be guessed: 128 bits from the kernel, in hex.
std::string make_token();

}  // namespace gatehouse::mcp
