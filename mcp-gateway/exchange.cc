#include "mcp-gateway/exchange.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

namespace gatehouse::mcp {

std::string make_token() {
  std::array<unsigned char, 16> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) std::abort();
  std::string token;
  for (const auto byte : random) token += fmt::format("{:02x}", byte);
  return token;
}

Call::Callbacks Exchange::callbacks() {
  return {.done =
              [this](Call::Outcome outcome) {
                open_ = Value::object();
                waits_ = false;
                if (!listener_.done) {
                  outcome_ = std::move(outcome);
                  return;
                }
                const auto done = std::move(listener_.done);  // which may destroy this
                done(std::move(outcome));
              },
          .said =
              [this](Said said) {
                if (listener_.said) listener_.said(std::move(said));
              },
          .asked =
              [this](Question question) {
                waits_ = true;
                for (const auto& [key, request] : question.requests.items()) open_[key] = request;
                const auto asked = listener_.asked;  // which may detach it
                if (asked) asked(question.requests);
              }};
}

void Exchange::answer(const Value& responses) {
  for (const auto& [key, response] : responses.items()) {
    if (open_.erase(key) > 0) answers_[key] = response;
  }
  if (!waits_ || !open_.empty()) return;
  waits_ = false;
  call_->reply(std::exchange(answers_, Value::object()));
}

std::string HeldExchanges::hold(std::unique_ptr<Exchange> exchange, Time now) {
  if (held_.size() >= kMaxHeldExchanges) {
    held_.erase(std::min_element(held_.begin(), held_.end(),
                                 [](const auto& a, const auto& b) { return a.second.since < b.second.since; }));
  }
  exchange->detach();
  std::string state = make_token();
  held_.emplace(state, Held{std::move(exchange), now});
  return state;
}

std::unique_ptr<Exchange> HeldExchanges::take(std::string_view state) {
  const auto found = held_.find(state);
  if (found == held_.end()) return nullptr;
  auto exchange = std::move(found->second.exchange);
  held_.erase(found);
  return exchange;
}

void HeldExchanges::tick(Time now) {
  std::erase_if(held_, [now](const auto& entry) { return now - entry.second.since >= kHeldTime; });
}

}  // namespace gatehouse::mcp
