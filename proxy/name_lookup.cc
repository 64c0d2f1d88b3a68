#include "proxy/name_lookup.h"

#include "proxy/ptr_message.h"

namespace gatehouse::proxy {

namespace {

constexpr std::chrono::milliseconds kExpiryPeriod{100};
constexpr size_t kLengthBytes = 2;  // RFC 7766 section 8
constexpr int kRenewalSlices = 30;  // of what is held, a slice at a time: no bursts

size_t message_length(std::string_view input) {
  return static_cast<size_t>(static_cast<unsigned char>(input[0])) << 8 | static_cast<unsigned char>(input[1]);
}

}  // namespace

NameLookup::NameLookup(Loop& loop, Endpoint dns, std::chrono::milliseconds renewal)
    : loop_(loop),
      dns_(std::move(dns)),
      retry_(loop, [this] { connect(); }),
      expiry_(loop, [this] { expire(); }),
      renewal_period_(renewal / kRenewalSlices),
      renewal_(loop, [this] { renew(); }) {}

NameLookup::Lease NameLookup::hold(const IpAddress& address) {
  if (held_.empty()) renewal_.repeat(renewal_period_);
  const auto place = held_.insert(address);
  return Lease(&*place, [this, place, alive = std::weak_ptr(alive_)](const void*) {
    if (!alive.expired()) held_.erase(place);
  });
}

// The next few of the addresses that are held, in order and round again, each once however often it is held.
void NameLookup::renew() {
  if (held_.empty()) return renewal_.stop();
  const auto slice = static_cast<int>(held_.size() / kRenewalSlices + 1);
  for (int i = 0; i < slice && !held_.empty(); ++i) {
    auto next = held_.upper_bound(renewed_last_);
    if (next == held_.end()) next = held_.begin();
    renewed_last_ = *next;
    find(renewed_last_, [](const auto&) {});
  }
}

void NameLookup::find(const IpAddress& address, OnName on_name) {
  const auto answer_later = [&](Result<std::optional<std::string>> answer) {
    loop_.post([on_name = std::move(on_name), answer = std::move(answer), alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) on_name(answer);
    });
  };
  if (!address.is_v4()) return answer_later(std::optional<std::string>());  // the pool has no IPv6 addresses
  if (pending_.size() >= kMaxPendingNames) return answer_later(fail("too many questions to gatehouse-dns under way"));
  while (pending_.contains(next_id_)) ++next_id_;
  const uint16_t id = next_id_++;
  if (pending_.empty()) expiry_.repeat(kExpiryPeriod);
  const auto& question =
      pending_.emplace(id, Question{encode_ptr_query(id, address), std::move(on_name), Clock::now() + kNameTimeout})
          .first->second;
  if (stream_) {
    send(question.query);
  } else if (!connecting_ && reconnect_ == kFirstReconnect) {
    connect();  // otherwise the retry timer is running
  }
}

void NameLookup::connect() {
  if (connecting_ || stream_) return;
  connecting_ = connect_stream(loop_, dns_, [this](auto stream) { connected(std::move(stream)); });
}

void NameLookup::connected(Result<std::unique_ptr<Stream>> stream) {
  const auto attempt = std::move(connecting_);
  if (!stream) {
    retry_.start(reconnect_);
    reconnect_ = std::min(reconnect_ * 2, kSlowestReconnect);
    return;
  }
  reconnect_ = kFirstReconnect;
  stream_ = std::move(*stream);
  stream_->set_callbacks({.data = [this](std::string_view bytes) { received(bytes); },
                          .end = [this] { disconnect(); },
                          .error = [this](const Error&) { disconnect(); },
                          .drained = {}});
  stream_->start_reading();
  for (const auto& [id, question] : pending_) send(question.query);
}

void NameLookup::disconnect() {
  stream_.reset();
  input_.clear();
  if (!pending_.empty()) {
    retry_.start(reconnect_);
    reconnect_ = std::min(reconnect_ * 2, kSlowestReconnect);
  }
}

void NameLookup::send(const std::string& query) {
  std::string framed{static_cast<char>(query.size() >> 8), static_cast<char>(query.size() & 0xff)};
  stream_->write(framed + query);
}

void NameLookup::received(std::string_view bytes) {
  input_ += bytes;
  const std::weak_ptr alive(alive_);
  while (input_.size() >= kLengthBytes && input_.size() >= kLengthBytes + message_length(input_)) {
    const auto message = input_.substr(kLengthBytes, message_length(input_));
    input_.erase(0, kLengthBytes + message.size());
    answered(message);
    if (alive.expired()) return;
  }
}

void NameLookup::answered(std::string_view message) {
  if (message.size() < kLengthBytes) return;  // not even an id: the question times out
  const auto found = pending_.find(static_cast<uint16_t>(message_length(message)));
  if (found == pending_.end()) return;  // answered too late
  const auto on_name = std::move(found->second.on_name);
  pending_.erase(found);
  if (pending_.empty()) expiry_.stop();
  auto answer = decode_ptr_answer(message);
  on_name(answer ? Result<std::optional<std::string>>(std::move(answer->name)) : failed(answer, "gatehouse-dns"));
}

void NameLookup::expire() {
  const auto now = Clock::now();
  std::vector<OnName> expired;
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (now < it->second.deadline) {
      ++it;
      continue;
    }
    expired.push_back(std::move(it->second.on_name));
    it = pending_.erase(it);
  }
  if (pending_.empty()) expiry_.stop();
  const std::weak_ptr alive(alive_);
  for (const auto& on_name : expired) {
    if (alive.expired()) return;
    on_name(fail("gatehouse-dns did not answer within {} ms", kNameTimeout.count()));
  }
}

}  // namespace gatehouse::proxy
