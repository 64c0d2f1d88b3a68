// gatehouse audit [SESSION] [--blocked] [--trace ID] [--json] [--follow]; gatehouse audit verify [SESSION]
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "common/audit/reader.h"
#include "common/audit/text.h"
#include "common/base/options.h"
#include "common/base/verdict.h"
#include "launcher/command.h"
#include "launcher/paths.h"

namespace gatehouse::launcher {

namespace {

constexpr std::chrono::milliseconds kFollowPeriod{250};  // between two looks at the file with --follow
constexpr size_t kWidestColumn = 60;                     // wider cells push the rest of their own line only

struct AuditOptions {
  std::string session;  // name, path of an audit.db, or empty for the latest
  bool blocked = false;
  bool json = false;
  bool follow = false;
  std::string trace;  // id of a trace, or of an event of it; empty: all
};

// The file meant by SESSION. A word with a slash or ending in .db is a path: a session name holds neither.
Result<std::string> find_log(const std::string& session) {
  if (session.empty()) {
    auto latest = latest_session();
    if (!latest) return failed(latest);
    return audit_log_path(*latest);
  }
  if (session.find('/') != std::string::npos || session.ends_with(".db")) return session;
  if (auto named = check_session_name(session); !named) return failed(named);
  return audit_log_path(session);
}

std::string local_time(int64_t time_us) {
  const std::time_t seconds = time_us / 1'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", local, time_us / 1000 % 1000);
}

// Code points, which is columns for nearly everything that is stored.
size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Lines of the table for people. Columns keep the widest cell so far, so that --follow stays aligned.
class EntryTable {
 public:
  explicit EntryTable(bool color) : color_(color) {}

  void print(const std::vector<audit::Entry>& entries) {
    std::vector<Line> lines;
    if (!headed_) lines.push_back({"TIME", "CHANNEL", "WHAT", "VERDICT", "RULE", "REASON"});
    headed_ = true;
    for (const auto& entry : entries) {
      if (for_people(entry)) lines.push_back(cells(entry));
    }
    for (const auto& line : lines) {
      for (size_t i = 0; i < line.size(); ++i)
        widths_[i] = std::max(widths_[i], std::min(width(line[i]), kWidestColumn));
    }
    for (const auto& line : lines) print_line(line);
    std::fflush(stdout);
  }

 private:
  using Line = std::array<std::string, 6>;
  static constexpr size_t kVerdictCell = 3;

  // How an exchange ended is news only when it went wrong; --json has it all.
  static bool for_people(const audit::Entry& entry) {
    return entry.table != "net_results" || entry.what.find(" error: ") != std::string::npos;
  }

  // What is in the file was escaped when it was written, but the file may have been changed since.
  static Line cells(const audit::Entry& entry) {
    const auto shown = audit::storable_text;
    return {local_time(entry.time_us), shown(entry.channel), shown(entry.what),
            shown(entry.verdict),      shown(entry.rule_id), shown(entry.reason)};
  }

  void print_line(const Line& line) const {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string_view color = i == kVerdictCell ? color_of(line[i]) : "";
      text += color;
      text += line[i];
      if (!color.empty()) text += "\x1b[0m";
      const size_t shown = width(line[i]);
      if (i + 1 < line.size()) text.append(std::max(widths_[i], shown) - shown + 2, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    fmt::print("{}\n", text);
  }

  std::string_view color_of(std::string_view verdict) const {
    if (!color_) return "";
    if (verdict == to_string(Verdict::deny)) return "\x1b[31m";
    if (verdict == to_string(Verdict::ask) || verdict == to_string(FindingAction::redact) ||
        verdict == to_string(FindingAction::warn)) {
      return "\x1b[33m";
    }
    return verdict == to_string(Verdict::allow) ? "\x1b[32m" : "";
  }

  bool color_;
  bool headed_ = false;
  std::array<size_t, 6> widths_{};
};

void print_json(const std::vector<audit::Entry>& entries) {
  for (const auto& entry : entries) fmt::print("{}\n", entry.json);
  std::fflush(stdout);
}

// Waits for the next look, or for SIGINT or SIGTERM (blocked by the caller); false then.
bool wait_to_follow(const sigset_t& ending) {
  const timespec period{0, std::chrono::nanoseconds(kFollowPeriod).count()};
  return ::sigtimedwait(&ending, nullptr, &period) < 0;
}

int list(const AuditOptions& options) {
  auto path = find_log(options.session);
  if (!path) return report(path.error(), kExitUsage);
  auto reader = audit::AuditReader::open(*path);
  if (!reader) return report(reader.error(), kExitUsage);

  std::string trace;
  if (!options.trace.empty()) {
    auto known = (*reader)->trace_of(options.trace);
    if (!known) return report(known.error(), kExitFailed);
    trace = std::move(*known);
  }

  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  if (options.follow) ::sigprocmask(SIG_BLOCK, &ending, nullptr);

  EntryTable table(::isatty(STDOUT_FILENO) == 1);
  for (;;) {
    auto entries = (*reader)->next_entries({.blocked_only = options.blocked, .trace = trace});
    if (!entries) return report(entries.error(), kExitFailed);
    options.json ? print_json(*entries) : table.print(*entries);
    if (!entries->empty()) continue;
    if (!options.follow || !wait_to_follow(ending)) return kExitOk;
  }
}

int verify(const std::string& session) {
  auto path = find_log(session);
  if (!path) return report(path.error(), kExitUsage);
  auto checked = audit::verify(*path);
  if (!checked) return report(checked.error(), kExitUsage);
  if (checked->faults.empty()) {
    fmt::print("{} rows, {} writers, intact\n", checked->rows, checked->writers);
    return kExitOk;
  }
  for (const auto& fault : checked->faults) {
    fmt::print("{} row {}{}{}: {}\n", audit::storable_text(fault.writer), fault.seq, fault.table.empty() ? "" : " in ",
               fault.table, fault.what);
  }
  fmt::print("{} rows, {} writers, {} faults\n", checked->rows, checked->writers, checked->faults.size());
  return kExitNo;
}

}  // namespace

void add_audit_command(CLI::App& app, Run& run) {
  auto options = std::make_shared<AuditOptions>();
  CLI::App* audit = app.add_subcommand("audit", "show what a session did, and what was blocked and why");
  audit->add_option("SESSION", options->session,
                    "name of a session or path of an audit.db (default: the latest session)");
  audit->add_flag("--blocked", options->blocked, "denials and redactions only");
  audit
      ->add_option("--trace", options->trace,
                   "one exchange alone, whatever it led to: by the id of its trace, or of any event")
      ->type_name("ID");
  audit->add_flag("--json", options->json, "one JSON object a line, whole rows");
  audit->add_flag("--follow", options->follow, "go on with what is committed from now on, until interrupted");

  auto verified = std::make_shared<std::string>();
  CLI::App* chain = audit->add_subcommand("verify", "prove that no row was edited, dropped, moved or added");
  chain->add_option("SESSION", *verified, "as above");

  audit->callback([=, &run] {
    if (chain->parsed()) {
      run = [verified] { return verify(*verified); };
    } else {
      run = [options] { return list(*options); };
    }
  });
}

}  // namespace gatehouse::launcher
