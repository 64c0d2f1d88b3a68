// The rows of one exchange: findings, verdict, result. One trace id, and nothing in them of what was found.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/dlp/finding.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"

namespace gatehouse::proxy {

// Logged for a path until the scanner has seen it, and for good when it cannot: it may hold a secret.
inline constexpr std::string_view kPathNotScanned = "/[not scanned]";

class ExchangeRecord {
 public:
  // `outside` outlives the record.
  ExchangeRecord(Outside& outside, const Origin& origin);

  void set_host(std::string host) { event_.host = std::move(host); }
  // What is asked for.
  void describe(const RequestHead& head);
  // Replaces the path in the rows to come; and the names, of which the guest chose all but the last two labels.
  void set_path(std::string path) { event_.path = std::move(path); }
  void mask_host();
  // It is part of another exchange: its rows share that one's trace.
  void set_trace(std::string trace_id) { event_.trace_id = std::move(trace_id); }
  void set_detail(std::string detail) { event_.detail = std::move(detail); }
  const std::string& path() const { return event_.path; }
  const std::string& detail() const { return event_.detail; }
  // Rows that are to be committed with the next verdict, before it.
  void add(std::vector<audit::Event> rows) { more_ = std::move(rows); }

  // Commits a verdict: a row for each finding, then the verdict's own. `on_committed` is called once, when all of them
  // are committed or one is not.
  void commit(Decision decision, const std::vector<dlp::Finding>& findings, dlp::Direction direction,
              Outside::OnCommitted on_committed);
  // The findings alone.
  void commit(const std::vector<dlp::Finding>& findings, dlp::Direction direction, Outside::OnCommitted on_committed);
  // The same rows when nobody waits for them; without a decision the findings alone.
  void note(Decision decision, const std::vector<dlp::Finding>& findings, dlp::Direction direction);
  void note(const std::vector<dlp::Finding>& findings, dlp::Direction direction);
  // The next verdict is another one on the same exchange: it has an event id of its own.
  void begin_another();

  // An allowed exchange is under way, and end() writes its result row; once, and only if it is.
  void begin_result() { result_due_ = true; }
  bool result_due() const { return result_due_; }
  audit::NetResult& result() { return result_; }
  void end(std::string_view error);

  const Decision& decision() const { return event_.decision; }
  const std::string& event_id() const { return event_.event_id; }
  const std::string& trace_id() const { return event_.trace_id; }
  const std::string& channel() const { return event_.channel; }
  // "POST https://api.example.com/x", as the rows tell of it.
  std::string what() const;
  // As its findings' rows tell of it.
  dlp::StreamInfo stream(dlp::Direction direction) const;

 private:
  void commit_all(std::vector<audit::Event> all, Outside::OnCommitted on_committed);
  std::vector<audit::Event> rows(const std::vector<dlp::Finding>& findings, dlp::Direction direction) const;

  Outside& outside_;
  audit::NetEvent event_;
  audit::NetResult result_;
  std::vector<audit::Event> more_;
  bool result_due_ = false;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace gatehouse::proxy
