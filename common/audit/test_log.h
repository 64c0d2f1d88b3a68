// What the tests of the audit log share: a folder that goes away, an executor run by hand, events.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/audit/database.h"
#include "common/audit/log.h"
#include "common/base/uuid.h"

namespace gatehouse::audit {

class TempFolder {
 public:
  TempFolder() : path_(std::filesystem::temp_directory_path() / ("gatehouse-audit-" + make_uuid())) {
    std::filesystem::create_directory(path_);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Runs what was posted when told to, on the test's own thread.
class HandExecutor final : public Executor {
 public:
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }

  // Runs posts, waiting for them, until `done` holds.
  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        posted_.wait(lock, [this] { return !tasks_.empty(); });
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      ++posts_run_;
      task();
    }
  }

  size_t posts_run() const { return posts_run_; }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> tasks_;
  size_t posts_run_ = 0;
};

inline NetEvent net_event(const std::string& host, Verdict verdict = Verdict::deny) {
  NetEvent event;
  event.event_id = make_uuid();
  event.trace_id = make_uuid();
  event.decision = {verdict, "rule-1", "because"};
  event.channel = "https";
  event.host = host;
  event.address = "198.18.0.7";
  event.port = 443;
  event.sni = host;
  event.method = "GET";
  event.path = "/x";
  return event;
}

inline DnsEvent dns_event(const std::string& name, const std::string& address) {
  return {make_uuid(), make_uuid(), {Verdict::allow, "names", "listed"}, name, "A", "NOERROR", address};
}

inline DlpFinding finding_event(FindingAction action) {
  DlpFinding finding;
  finding.trace_id = make_uuid();
  finding.decision = {action == FindingAction::deny ? Verdict::deny : Verdict::allow, "dlp.github-pat",
                      "a GitHub token in the body"};
  finding.channel = "https";
  finding.direction = "out";
  finding.host = "api.example.com";
  finding.rule = "github-pat";
  finding.category = "credentials";
  finding.action = to_string(action);
  finding.confidence = "high";
  finding.location = "body";
  finding.decode_path = "gzip>json>base64";
  finding.offset = 17;
  finding.prefix = "ghp_";
  finding.fingerprint = "0123456789abcdef";
  return finding;
}

inline std::unique_ptr<AuditLog> open_log(const std::string& path, const std::string& writer = "proxy") {
  auto log = AuditLog::open({path, "s1", writer});
  if (!log) throw std::runtime_error(log.error().message());
  return std::move(*log);
}

// Runs SQL against the file as somebody who has found it on the disk would.
inline void tamper(const std::string& path, const std::string& sql) {
  auto database = Database::open(path, Database::Mode::read_write);
  ASSERT_TRUE(database) << database.error().message();
  auto done = database->execute(sql);
  ASSERT_TRUE(done) << done.error().message();
}

inline std::string query_text(const std::string& path, const std::string& sql) {
  auto database = Database::open(path, Database::Mode::read_only);
  if (!database) return database.error().message();
  auto select = database->prepare(sql);
  if (!select) return select.error().message();
  auto row = select->step();
  if (!row) return row.error().message();
  return *row ? select->bytes(0) : "(no row)";
}

}  // namespace gatehouse::audit
