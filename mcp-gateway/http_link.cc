#include "mcp-gateway/http_link.h"

#include <algorithm>

#include "common/base/log.h"
#include "proxy/judgement.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kSessionField = "Mcp-Session-Id";
constexpr std::string_view kBatchRevision = "2025-03-26";
constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kTooManyRequests = 429;

constexpr std::string_view kInsufficientScope = "insufficient_scope";

// Behind the request's first line; the proxy takes it out again.
std::string with_token(std::string_view request, std::string_view token) {
  if (token.empty()) return std::string(request);
  const size_t line = request.find("\r\n") + 2;
  std::string bytes;
  bytes.reserve(request.size() + token.size() + 64);
  bytes.append(request.substr(0, line)).append(proxy::kBearerField).append(": ").append(token).append("\r\n");
  return bytes.append(request.substr(line));
}

bool is_session_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxServerSessionBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

// Whether it says something of the request, and not of who asks, how often, or how the server is.
bool is_of_the_request(int status) {
  constexpr int kOthers[] = {kUnauthorized, kForbidden, kTooManyRequests};
  return status / 100 == 4 && std::find(std::begin(kOthers), std::end(kOthers), status) == std::end(kOthers);
}

bool is_of_the_proxy(const proxy::ResponseHead& head) { return proxy::find_field(head.fields, "Gatehouse-Rule"); }

bool has_type(const proxy::Fields& fields, std::string_view type) {
  const auto* field = proxy::find_field(fields, "Content-Type");
  if (field == nullptr) return false;
  std::string_view value = field->value;
  value = value.substr(0, value.find(';'));
  while (value.ends_with(' ')) value.remove_suffix(1);
  return proxy::same_token(value, type);
}

// In our own words: the proxy's quote what the server, or its certificate, says.
std::string_view words_of(std::string_view rule) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"upstream.certificate", "its certificate cannot be verified"},
      {"upstream.tls", "TLS with it fails"},
      {"upstream.lookup", "its name cannot be resolved"},
      {"upstream.connect", "it cannot be reached"},
      {"upstream.timeout", "it does not answer in time"},
      {"upstream.closed", "it closes the connection"},
      {"upstream.malformed", "what it answers is no HTTP"},
      {"upstream.proxy", "the upstream proxy does not lead to it"},
      {"address.", "its name leads to an address that the policy does not allow"},
      {"mcp.server", "the policy has no such server any more"},
      {"dlp.", "something was found in what was sent or answered"},
  };
  const auto* found = std::find_if(std::begin(kWords), std::end(kWords),
                                   [&](const auto& entry) { return rule.starts_with(entry.first); });
  return found == std::end(kWords) ? "the proxy does not let it pass" : found->second;
}

// Nothing of what the server wrote is in it. Fields of that name are the proxy's alone.
std::string fault_of(const proxy::ResponseHead& head) {
  if (const auto* rule = proxy::find_field(head.fields, "Gatehouse-Rule")) {
    const auto* event = proxy::find_field(head.fields, "Gatehouse-Event");
    return fmt::format("{} (rule '{}', event {})", words_of(rule->value), log::printable(rule->value, 64),
                       event == nullptr ? "none" : log::printable(event->value, 64));
  }
  if (head.status / 100 == 3) return fmt::format("it redirects, which is not followed (status {})", head.status);
  if (head.status == kUnauthorized) {
    return "it wants a credential, or another one (status 401): the policy's \"secrets\" bind one to its host";
  }
  if (head.status == kForbidden) {
    return "it does not let the credential do this (status 403): the policy's \"secrets\" bind one to its host";
  }
  return fmt::format("it answers with status {}", head.status);
}

// Whether an answer with a status of failure says of this request what is wrong.
bool is_error_of(const Value& value, uint64_t request) {
  const auto message = parse_message(value);
  return message && message->kind == Message::Kind::error &&
         (message->id.is_null() || (message->id.is_number_unsigned() && message->id.get<uint64_t>() == request));
}

// Of those that do not answer to any request of ours it is false.
bool answers(const Value& message, uint64_t request) {
  if (find(message, "method") != nullptr) return false;
  const Value* id = find(message, "id");
  if (id == nullptr || id->is_null()) return find(message, "error") != nullptr;
  return id->is_number_unsigned() && id->get<uint64_t>() == request;
}

}  // namespace

void HttpLink::begin() {
  close_all();
  session_.clear();
  revision_ = {};
  listened_.clear();
  reached_ = broken_ = false;
}

void HttpLink::end(Time now) {
  close_all();
  broken_ = true;
  if (session_.empty()) return;
  Exchange farewell(Exchange::Kind::farewell, "DELETE");
  farewell.ends = now + kFarewellTime;
  auto bytes = farewell_request(place_, session());
  session_.clear();
  open(std::move(bytes), std::move(farewell));
}

// All but a farewell.
void HttpLink::close_all() {
  for (auto at = exchanges_.begin(); at != exchanges_.end();) {
    const auto next = std::next(at);
    if (at->second.kind != Exchange::Kind::farewell) drop(at);
    at = next;
  }
  waiting_.clear();
  resuming_.clear();
  listen_at_.reset();
}

void HttpLink::drop(Place at) {
  const uint64_t number = at->first;
  const bool open = !at->second.waits;
  exchanges_.erase(at);
  if (open) callbacks_.close(number);
}

void HttpLink::open(std::string bytes, Exchange exchange) {
  const uint64_t number = next_exchange_++;
  const auto at = exchanges_.emplace(number, std::move(exchange)).first;
  if (!callbacks_.lease) return callbacks_.open(number, std::move(bytes));
  at->second.asked = std::move(bytes);
  send_out(at);
}

// With the access token that there is, or later, when one comes.
void HttpLink::send_out(Place at) {
  Exchange& exchange = at->second;
  const auto lease = callbacks_.lease();
  exchange.waits = lease.wait;
  if (lease.wait) return;
  exchange.token = lease.number;
  ++exchange.sendings;
  callbacks_.open(at->first, with_token(exchange.asked, lease.token));
}

// Whether the exchange has been refused for its token, and goes out again with another one.
bool HttpLink::await_token(Place at, Time now) {
  Exchange& exchange = at->second;
  const auto& response = exchange.reader.head();
  if (!callbacks_.lease || is_of_the_proxy(response) || exchange.kind == Exchange::Kind::farewell) return false;
  auto challenge = read_challenge(response.fields);
  const bool wanted =
      response.status == kUnauthorized || (response.status == kForbidden && challenge.error == kInsufficientScope);
  if (!wanted) return false;
  if (exchange.sendings >= kMaxSendings) {
    exchange.fault = response.status == kUnauthorized
                         ? "it refuses the access token that was issued for it"
                         : "it still wants more scope than the token has that was issued for it";
    give_up(at, exchange.fault, now);
    return true;
  }
  const int status = response.status;
  exchange.waits = true;
  callbacks_.close(at->first);
  exchange.reader = proxy::ResponseReader(exchange.asked.substr(0, exchange.asked.find(' ')));
  const auto lease = callbacks_.lease();
  if (!lease.wait && !lease.token.empty() && lease.number != exchange.token) {
    send_out(at);
  } else if (!lease.wait) {
    callbacks_.challenged(status, std::move(challenge), exchange.token);
  }
  return true;
}

void HttpLink::authorized(Time) {
  for (auto at = exchanges_.begin(); at != exchanges_.end(); ++at) {
    if (at->second.waits) send_out(at);
  }
}

void HttpLink::unauthorized(std::string_view why, Time now) {
  const std::string words(why);
  std::vector<uint64_t> waiting;
  for (const auto& [number, exchange] : exchanges_) {
    if (exchange.waits) waiting.push_back(number);
  }
  for (const uint64_t number : waiting) {
    const auto at = exchanges_.find(number);
    if (at != exchanges_.end()) give_up(at, words, now);
  }
}

bool HttpLink::is_opening() const {
  return std::any_of(exchanges_.begin(), exchanges_.end(), [](const auto& entry) { return entry.second.opening; });
}

size_t HttpLink::replies() const {
  const auto open =
      std::count_if(exchanges_.begin(), exchanges_.end(), [](const auto& entry) { return entry.second.reply; });
  const auto waiting = std::count_if(waiting_.begin(), waiting_.end(),
                                     [](const Outgoing& one) { return !one.request && one.method.empty(); });
  return static_cast<size_t>(open + waiting);
}

void HttpLink::send(const Outgoing& message) {
  if (broken_) return;
  const bool stateless = is_stateless(message.revision);
  // Servers of that era ask nothing in requests of their own, and take no answers.
  if (stateless && !message.request && message.method.empty()) return;
  if (message.method == "notifications/cancelled" && message.about) {
    const bool sent = forget(*message.about);
    if (stateless || !sent) return;
  }
  const bool first = message.method == "initialize" || message.method == "notifications/initialized";
  if (!stateless && !first && is_opening()) {
    waiting_.push_back(message);
  } else {
    post(message);
  }
}

void HttpLink::post(const Outgoing& message) {
  Exchange exchange(message.request ? Exchange::Kind::asks : Exchange::Kind::tells, "POST");
  exchange.request = message.request;
  exchange.posted = true;
  exchange.reply = !message.request && message.method.empty();
  exchange.stateless = is_stateless(message.revision);
  exchange.batches = message.revision == kBatchRevision;
  exchange.opening = message.method == "initialize" || message.method == "notifications/initialized";
  if (!exchange.stateless && !message.revision.empty()) revision_ = message.revision;
  open(post_request(place_, session(), message), std::move(exchange));
}

// Its answer is not wanted any more.
bool HttpLink::forget(uint64_t request) {
  if (std::erase_if(waiting_, [&](const Outgoing& one) { return one.request == request; }) > 0) return false;
  std::erase_if(resuming_, [&](const Resuming& one) { return one.exchange.request == request; });
  const auto at = std::find_if(exchanges_.begin(), exchanges_.end(),
                               [&](const auto& entry) { return entry.second.request == request; });
  if (at != exchanges_.end()) drop(at);
  return true;
}

void HttpLink::received(uint64_t number, std::string_view bytes, Time now) {
  while (true) {
    const auto at = exchanges_.find(number);
    if (at == exchanges_.end()) return;
    Exchange& exchange = at->second;
    const auto event = exchange.reader.feed(bytes);
    if (!event) return give_up(at, event.error().reason, now);
    bytes.remove_prefix(event->consumed);
    switch (event->kind) {
      case proxy::ReadEvent::Kind::need_more:
        return;
      case proxy::ReadEvent::Kind::head:
        if (!take_head(at, now)) return;
        break;
      case proxy::ReadEvent::Kind::body:
        if (exchange.streams) {
          // What is said may end the exchange, or all of them.
          std::deque<std::string> said;
          const auto read = exchange.events.feed(event->body, [&](std::string_view data) { said.emplace_back(data); });
          for (const auto& data : said) {
            if (!take_text(number, data, now)) return;
          }
          if (!read) return give_up(at, read.error().message(), now);
        } else if (exchange.speaks) {
          if (exchange.body.size() + event->body.size() > kMessageLimits.bytes) {
            return give_up(at, "its answer is too large", now);
          }
          exchange.body += event->body;
        }
        break;
      case proxy::ReadEvent::Kind::complete: {
        const std::string body = std::move(exchange.body);
        if (!exchange.streams && !body.empty() && !take_text(number, body, now)) return;
        const auto* why = exchange.streams ? "its stream ends without an answer" : "what it answers is no message";
        return over(at, why, now);
      }
      default:
        break;
    }
  }
}

bool HttpLink::take_head(Place at, Time now) {
  Exchange& exchange = at->second;
  if (await_token(at, now)) return false;
  const auto& response = exchange.reader.head();
  if (response.status == kNotFound && exchange.posted && !exchange.stateless && !session_.empty() &&
      !is_of_the_proxy(response)) {
    session_.clear();
    break_off("it has ended the session");
    return false;
  }
  exchange.asked.clear();
  exchange.accepted = response.status / 100 == 2;
  reached_ |= exchange.accepted || (is_of_the_request(response.status) && !is_of_the_proxy(response));
  const bool heard = exchange.kind != Exchange::Kind::tells;  // nothing answers what is only told
  exchange.streams = heard && response.status == kOk && has_type(response.fields, "text/event-stream");
  exchange.speaks = exchange.streams || (heard && has_type(response.fields, "application/json"));
  if (!exchange.accepted) exchange.fault = fault_of(response);
  if (response.status == kUnauthorized || response.status == kForbidden) exchange.speaks = false;
  if (exchange.kind == Exchange::Kind::farewell) {
    drop(at);
    return false;
  }
  if (exchange.kind == Exchange::Kind::listens && !exchange.streams) {
    // Some that have no such stream know no GET at all.
    const bool offered = response.status != kMethodNotAllowed && response.status != kNotFound;
    if (offered) listen_at_ = now + kListenAgainLater;
    drop(at);
    return false;
  }
  const bool begins = exchange.opening && exchange.request && exchange.accepted;
  return !begins || take_session(response);
}

bool HttpLink::take_session(const proxy::ResponseHead& head) {
  const auto* id = proxy::find_field(head.fields, kSessionField);
  if (id == nullptr) return true;
  if (!is_session_id(id->value)) {
    break_off("the id of its session cannot be repeated to it");
    return false;
  }
  session_ = id->value;
  return true;
}

bool HttpLink::take_text(uint64_t number, std::string_view text, Time now) {
  auto value = json::read(text, kMessageLimits);
  const Exchange& exchange = exchanges_.at(number);
  if (!exchange.fault.empty()) {
    if (!value || !exchange.request || !is_error_of(*value, *exchange.request)) return true;
    return take_message(number, std::move(*value), now);
  }
  if (!value) {
    break_off(fmt::format("it said what is refused: {}", value.error().message()));
    return false;
  }
  if (!value->is_array()) return take_message(number, std::move(*value), now);
  if (!exchange.batches) {
    break_off("it said several things at once, which its revision of the protocol does not have");
    return false;
  }
  for (auto& message : *value) {
    if (!take_message(number, std::move(message), now)) return false;
  }
  return true;
}

bool HttpLink::take_message(uint64_t number, Value message, Time now) {
  Exchange& exchange = exchanges_.at(number);
  if (callbacks_.spoken && callbacks_.spoken(message)) {
    log::warn("a message of a server is withheld: it holds the access token that the server was given");
    if (!exchange.request || exchange.answered || !answers(message, *exchange.request)) return true;
    exchange.fault =
        fmt::format("its answer holds the access token it was given, and is withheld ({})", kAuthorizationRule);
    reached_ = true;
    give_up(exchanges_.find(number), exchange.fault, now);
    return false;
  }
  if (exchange.request && !exchange.answered && answers(message, *exchange.request)) {
    exchange.answered = true;
    exchange.opening = false;
    exchange.ends = now + kLinger;
  }
  callbacks_.hear(std::move(message), exchange.request);
  if (replies() > kMaxReplies) break_off("it asks more than it hears answers to");
  return exchanges_.contains(number);
}

void HttpLink::over(Place at, std::string_view why, Time now) {
  const Exchange& exchange = at->second;
  const auto& last_id = exchange.events.last_id();
  if (exchange.kind == Exchange::Kind::listens) {
    if (!last_id.empty()) listened_ = last_id;
    listen_at_ = now + exchange.events.retry().value_or(kListenAgain);
    return drop(at);
  }
  const bool unanswered = exchange.request && !exchange.answered;
  const std::string& from = last_id.empty() ? exchange.resumed_from : last_id;
  if (unanswered && !exchange.stateless && (exchange.streams || exchange.resumed > 0) && exchange.fault.empty() &&
      !from.empty() && exchange.resumed < kMaxResumes) {
    Exchange again(Exchange::Kind::asks, "GET");
    again.request = exchange.request;
    again.batches = exchange.batches;
    again.opening = exchange.opening;
    again.resumed = last_id.empty() ? exchange.resumed + 1 : 1;
    again.resumed_from = from;
    const auto wanted = exchange.events.retry().value_or(std::chrono::milliseconds(0));
    const auto soonest = exchange.resumed > 0 ? kResumeAgain : std::chrono::milliseconds(0);
    Resuming one{now + std::max(wanted, soonest), from, std::move(again)};
    drop(at);
    resuming_.push_back(std::move(one));
    return tick(now);
  }
  if (unanswered || !exchange.opening || !exchange.accepted) return give_up(at, why, now);
  // It knows that it is initialized: all else may be said.
  drop(at);
  listen_at_ = now;
  for (const auto& message : std::exchange(waiting_, {})) post(message);
}

void HttpLink::give_up(Place at, std::string_view why, Time now) {
  Exchange exchange = std::move(at->second);
  drop(at);
  const std::string words = exchange.fault.empty() ? std::string(why) : exchange.fault;
  const bool unanswered = exchange.request && !exchange.answered;
  // What a server that is not there does not answer tells nothing of its revision.
  if (unanswered && !reached_) return break_off(words);
  if (unanswered) return callbacks_.lose(*exchange.request, words);
  if (exchange.kind == Exchange::Kind::listens) listen_at_ = now + kListenAgainLater;
  if (exchange.opening) break_off(words);
}

void HttpLink::ended(uint64_t number, std::string_view why, Time now) {
  const auto at = exchanges_.find(number);
  if (at == exchanges_.end()) return;
  if (at->second.reader.finish() && !at->second.streams && !at->second.body.empty()) {
    const std::string body = std::move(at->second.body);
    if (!take_text(number, body, now)) return;
  }
  over(at, why, now);
}

std::optional<HttpLink::Time> HttpLink::due() const {
  std::optional<Time> first = listen_at_;
  const auto take = [&](Time at) { first = std::min(first.value_or(at), at); };
  for (const auto& one : resuming_) take(one.at);
  for (const auto& [number, exchange] : exchanges_) {
    if (exchange.ends) take(*exchange.ends);
  }
  return first;
}

void HttpLink::tick(Time now) {
  for (auto at = exchanges_.begin(); at != exchanges_.end();) {
    const auto next = std::next(at);
    if (at->second.ends && *at->second.ends <= now) drop(at);
    at = next;
  }
  for (auto& one : std::exchange(resuming_, {})) {
    if (one.at > now) {
      resuming_.push_back(std::move(one));
    } else {
      open(stream_request(place_, session(), one.last_id), std::move(one.exchange));
    }
  }
  if (!listen_at_ || now < *listen_at_) return;
  listen_at_.reset();
  Exchange exchange(Exchange::Kind::listens, "GET");
  exchange.batches = revision_ == kBatchRevision;
  open(stream_request(place_, session(), listened_), std::move(exchange));
}

void HttpLink::break_off(std::string why) {
  if (std::exchange(broken_, true)) return;
  close_all();
  callbacks_.broken(Error(std::move(why)));
}

}  // namespace gatehouse::mcp
