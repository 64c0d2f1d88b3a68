#include "guest/dns_uplink.h"

#include "guest/dns_message.h"

namespace gatehouse::guest {

namespace {
constexpr std::chrono::milliseconds kExpiryPeriod{500};
}  // namespace

DnsUplink::DnsUplink(Loop& loop, Connect connect)
    : connect_(std::move(connect)), expiry_(loop, [this] {
        deliver(table_.expire(std::chrono::steady_clock::now()));
        if (table_.empty()) expiry_.stop();
      }) {}

void DnsUplink::ask(std::string query, DnsTable::OnAnswer on_answer) {
  const size_t queued = stream_ ? stream_->queued() : pending_.size();
  const std::string question(header_and_question(query));
  const bool idle = table_.empty();
  if (queued > kMaxQueuedBytes || !table_.add(query, on_answer, std::chrono::steady_clock::now())) {
    on_answer(server_failure(question));
    return;
  }
  if (idle) expiry_.repeat(kExpiryPeriod);
  if (stream_) {
    stream_->write(frame_dns(query));
    return;
  }
  pending_ += frame_dns(query);
  if (!connecting_) open();
}

void DnsUplink::open() {
  connecting_ = connect_([this](Result<std::unique_ptr<Stream>> stream) { opened(std::move(stream)); });
}

void DnsUplink::opened(Result<std::unique_ptr<Stream>> stream) {
  connecting_.reset();
  const std::string pending = std::exchange(pending_, {});
  if (!stream) {
    deliver(table_.abandon());
    return;
  }
  stream_ = std::move(*stream);
  reader_ = {};
  Stream::Callbacks callbacks;
  callbacks.data = [this](std::string_view bytes) { received(bytes); };
  callbacks.end = [this] { close(); };
  callbacks.error = [this](const Error&) { close(); };
  stream_->set_callbacks(std::move(callbacks));
  stream_->start_reading();
  stream_->write(pending);
}

void DnsUplink::received(std::string_view bytes) {
  reader_.feed(bytes);
  while (auto message = reader_.next()) {
    if (!is_response(*message)) continue;
    if (auto settled = table_.settle(std::move(*message))) settled->on_answer(std::move(settled->answer));
  }
}

void DnsUplink::close() {
  stream_.reset();
  deliver(table_.abandon());
}

void DnsUplink::deliver(std::vector<DnsTable::Settled> settled) {
  for (auto& [answer, on_answer] : settled) on_answer(std::move(answer));
}

}  // namespace gatehouse::guest
