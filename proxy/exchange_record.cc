#include "proxy/exchange_record.h"

#include <memory>

#include "common/base/uuid.h"
#include "common/dlp/finding_row.h"

namespace gatehouse::proxy {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

// "secret.api.example.com" -> "***.example.com".
std::string masked_host(std::string_view host) {
  const size_t last = host.rfind('.');
  const size_t before = last == std::string_view::npos || last == 0 ? last : host.rfind('.', last - 1);
  return "***" + std::string(before == std::string_view::npos ? "" : host.substr(before));
}

}  // namespace

ExchangeRecord::ExchangeRecord(Outside& outside, const Origin& origin)
    : outside_(outside), began_(steady_clock::now()) {
  event_.event_id = make_uuid();
  event_.trace_id = event_.event_id;
  event_.channel = channel_of(origin);
  event_.address = origin.address;
  event_.host = origin.name.value_or("");
  event_.port = origin.port;
  event_.sni = origin.sni;
}

void ExchangeRecord::describe(const RequestHead& head) {
  if (head.websocket) event_.channel = scheme_of(head);
  event_.host = head.host;
  event_.port = head.port;
  event_.method = head.method;
  event_.path = without_query(head.path);
}

void ExchangeRecord::mask_host() {
  event_.host = masked_host(event_.host);
  if (!event_.sni.empty()) event_.sni = masked_host(event_.sni);
}

std::string ExchangeRecord::what() const {
  const bool usual = event_.port == (event_.channel == "https" || event_.channel == "wss" ? 443 : 80);
  return fmt::format("{} {}://{}{}{}", event_.method, event_.channel, event_.host,
                     usual ? "" : fmt::format(":{}", event_.port), event_.path);
}

dlp::StreamInfo ExchangeRecord::stream(dlp::Direction direction) const {
  return {event_.channel, direction, event_.host, event_.trace_id};
}

std::vector<audit::Event> ExchangeRecord::rows(const std::vector<dlp::Finding>& findings,
                                               dlp::Direction direction) const {
  std::vector<audit::Event> rows;
  const auto told_of = stream(direction);
  for (const auto& finding : findings) rows.emplace_back(dlp::audit_row(finding, told_of));
  return rows;
}

void ExchangeRecord::commit(Decision decision, const std::vector<dlp::Finding>& findings, dlp::Direction direction,
                            Outside::OnCommitted on_committed) {
  event_.decision = std::move(decision);
  if (findings.empty() && more_.empty()) return outside_.commit(event_, std::move(on_committed));
  auto all = rows(findings, direction);
  for (auto& row : std::exchange(more_, {})) all.push_back(std::move(row));
  all.emplace_back(event_);
  commit_all(std::move(all), std::move(on_committed));
}

void ExchangeRecord::commit(const std::vector<dlp::Finding>& findings, dlp::Direction direction,
                            Outside::OnCommitted on_committed) {
  commit_all(rows(findings, direction), std::move(on_committed));
}

void ExchangeRecord::commit_all(std::vector<audit::Event> all, Outside::OnCommitted on_committed) {
  struct Pending {
    size_t left;
    Result<void> outcome;
    Outside::OnCommitted done;
  };
  const auto pending = std::make_shared<Pending>(Pending{all.size(), {}, std::move(on_committed)});
  for (auto& row : all) {
    outside_.commit(std::move(row), [pending](const Result<void>& committed) {
      if (!committed) pending->outcome = committed;
      if (--pending->left == 0) pending->done(pending->outcome);
    });
  }
}

void ExchangeRecord::note(Decision decision, const std::vector<dlp::Finding>& findings, dlp::Direction direction) {
  note(findings, direction);
  event_.decision = std::move(decision);
  outside_.note(event_);
}

void ExchangeRecord::note(const std::vector<dlp::Finding>& findings, dlp::Direction direction) {
  for (auto& row : rows(findings, direction)) outside_.note(std::move(row));
}

void ExchangeRecord::begin_another() {
  event_.event_id = make_uuid();
  event_.detail.clear();
}

void ExchangeRecord::end(std::string_view error) {
  if (!result_due_) return;
  result_due_ = false;
  result_.event_id = event_.event_id;
  result_.trace_id = event_.trace_id;
  result_.error = error;
  result_.duration_us = static_cast<uint64_t>(duration_cast<microseconds>(steady_clock::now() - began_).count());
  outside_.note(result_);
}

}  // namespace gatehouse::proxy
