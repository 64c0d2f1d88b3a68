#include <gmock/gmock.h>

#include "common/audit/reader.h"
#include "common/audit/test_log.h"

namespace gatehouse::audit {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::vector<std::string> faults_of(const std::string& path) {
  auto report = verify(path);
  if (!report) return {report.error().message()};
  std::vector<std::string> lines;
  for (const auto& fault : report->faults) {
    lines.push_back(fmt::format("{} {} {}: {}", fault.writer, fault.seq, fault.table, fault.what));
  }
  return lines;
}

// proxy: rows 1 to 8, odd ones net_events, even ones net_results; dns: rows 1 to 4.
void write_log(const std::string& path) {
  auto proxy = open_log(path, "proxy");
  auto dns = open_log(path, "dns");
  for (int i = 0; i < 4; ++i) {
    const NetEvent event = net_event(fmt::format("host-{}", i), Verdict::allow);
    NetResult result;
    result.event_id = event.event_id;
    result.status = 200 + i;
    ASSERT_TRUE(dns->append_and_wait(dns_event(event.host, "198.18.0.1")));
    ASSERT_TRUE(proxy->append_and_wait(event));
    ASSERT_TRUE(proxy->append_and_wait(result));
  }
}

TEST(AuditVerify, FindsAFindingMadeHarmless) {
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  ASSERT_TRUE(open_log(path)->append_and_wait(finding_event(FindingAction::deny)));
  EXPECT_EQ(faults_of(path), std::vector<std::string>());
  tamper(path, "UPDATE dlp_findings SET action = 'warn'");
  EXPECT_EQ(faults_of(path), std::vector<std::string>{"proxy 1 dlp_findings: edited: its contents do not give its hash "
                                                      "after that of row 0"});
}

TEST(AuditVerify, FindsNothingInALogNobodyTouched) {
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  write_log(path);
  auto report = verify(path);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->rows, 12);
  EXPECT_EQ(report->writers, 2);
  EXPECT_EQ(faults_of(path), std::vector<std::string>());
}

TEST(AuditVerify, ReadsALogThatIsBeingWritten) {
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  auto log = open_log(path);
  for (int i = 0; i < 100; ++i) {
    log->append(net_event("h"));
    log->append(net_event("h"));
    ASSERT_EQ(faults_of(path), std::vector<std::string>());
  }
}

struct TamperCase {
  const char* name;
  std::string sql;
  std::vector<std::string> faults;
};

// Gives the net_events rows 3 and 7 of proxy each other's values in some columns.
std::string exchange(const std::vector<std::string>& columns) {
  std::string sets;
  for (const auto& column : columns) sets += fmt::format("{0}{1} = o.{1}", sets.empty() ? "" : ", ", column);
  return "CREATE TEMP TABLE kept AS SELECT * FROM net_events;"
         "UPDATE net_events SET event_id = event_id || '~' WHERE seq IN (3, 7);"  // UNIQUE, even half way
         "UPDATE net_events SET event_id = kept.event_id FROM kept WHERE net_events.seq = kept.seq AND " +
         std::string(sets.find("event_id") == std::string::npos ? "TRUE;" : "FALSE;") + "UPDATE net_events SET " +
         sets + " FROM kept AS o WHERE net_events.seq + o.seq = 10 AND net_events.seq IN (3, 7)";
}

// Copies net_events row 3 of proxy with other values in the columns named.
std::string copy_row(int64_t position, const std::string& writer, int64_t seq) {
  return fmt::format(
      "INSERT INTO net_events SELECT {}, event_id || 'x', time_us, session, '{}', {}, trace_id, verdict, rule_id, "
      "reason,"
      " channel, 'added', address, port, sni, method, path, detail, hash FROM net_events WHERE seq = 3",
      position, writer, seq);
}

const TamperCase kTamperCases[] = {
    {"AnEditedText",
     "UPDATE net_events SET verdict = 'deny' WHERE seq = 3",
     {"proxy 3 net_events: edited: its contents do not give its hash after that of row 2"}},
    {"AnEditedNumber",
     "UPDATE net_results SET bytes_out = 7 WHERE seq = 4",
     {"proxy 4 net_results: edited: its contents do not give its hash after that of row 3"}},
    {"AnEditedTime",
     "UPDATE dns_events SET time_us = time_us + 1 WHERE seq = 4",
     {"dns 4 dns_events: edited: its contents do not give its hash after that of row 3"}},
    {"TextMovedToTheNextColumn",
     "UPDATE net_events SET method = '', path = 'GET/x' WHERE seq = 1",
     {"proxy 1 net_events: edited: its contents do not give its hash after that of row 0"}},
    {"TwoEditedRows",
     "UPDATE net_events SET host = 'x' WHERE seq IN (3, 7)",
     {"proxy 3 net_events: edited: its contents do not give its hash after that of row 2",
      "proxy 7 net_events: edited: its contents do not give its hash after that of row 6"}},
    {"ADeletedRow", "DELETE FROM net_events WHERE seq = 3", {"proxy 3 : missing: row 3"}},
    {"DeletedRows",
     "DELETE FROM net_events WHERE seq IN (3, 5); DELETE FROM net_results WHERE seq = 4",
     {"proxy 3 : missing: rows 3 to 5"}},
    {"TheFirstRowDeleted", "DELETE FROM dns_events WHERE seq = 1", {"dns 1 : missing: row 1"}},
    {"TheLastRowsDeleted",
     "DELETE FROM net_events WHERE seq = 7; DELETE FROM net_results WHERE seq = 8",
     {"proxy 7 : missing: rows 7 to 8, the end of the chain"}},
    {"AWholeChainDeleted", "DELETE FROM dns_events", {"dns 1 : missing: rows 1 to 4, the end of the chain"}},
    {"OneExchangedColumn",
     exchange({"host"}),
     {"proxy 3 net_events: edited: its contents do not give its hash after that of row 2",
      "proxy 7 net_events: edited: its contents do not give its hash after that of row 6"}},
    {"ExchangedContents",
     exchange({"host", "sni"}),
     {"proxy 3 net_events: out of order: it holds what was committed as row 7",
      "proxy 7 net_events: out of order: it holds what was committed as row 3"}},
    {"ExchangedContentsWithIds",
     exchange({"event_id", "time_us", "trace_id", "host", "sni"}),
     {"proxy 3 net_events: out of order: it holds what was committed as row 7",
      "proxy 7 net_events: out of order: it holds what was committed as row 3"}},
    {"ExchangedContentsWithHashes",
     exchange({"event_id", "time_us", "trace_id", "host", "sni", "hash"}),
     {"proxy 3 net_events: out of order: it holds what was committed as row 7",
      "proxy 4 net_results: edited: its contents do not give its hash after that of row 3",
      "proxy 7 net_events: out of order: it holds what was committed as row 3",
      "proxy 8 net_results: edited: its contents do not give its hash after that of row 7"}},
    {"ExchangedNumbers",
     "UPDATE net_events SET seq = 10 - seq WHERE seq IN (3, 7)",
     {"proxy 7 net_events: out of order: it was committed as row 3",
      "proxy 3 net_events: out of order: it was committed as row 7"}},
    {"ExchangedPlaces",
     "UPDATE net_events SET position = 1000 WHERE seq = 3; UPDATE net_events SET position = 5 WHERE seq = 5;"
     "UPDATE net_events SET position = 8 WHERE seq = 3",
     {"proxy 4 net_results: out of order: it stands after row 5",
      "proxy 3 net_events: out of order: it stands after row 5"}},
    {"AnInsertedRowAtTheEnd", copy_row(100, "proxy", 9), {"proxy 9 net_events: inserted: the chain ends with row 8"}},
    {"AnInsertedRowWithATakenNumber",
     copy_row(100, "proxy", 5),
     {"proxy 5 net_events: inserted: there is another row 5 before it"}},
    {"AnInsertedRowInFrontOfTheTrueOne",
     copy_row(4, "proxy", 3),
     {"proxy 3 net_events: inserted: there is another row 3, which fits"}},
    {"AnUnknownWriter",
     copy_row(100, "ghost", 1),
     {"ghost 0 chain_heads: unknown writer: the log records no chain of this name",
      "ghost 1 net_events: edited: its contents do not give its hash after that of row 0"}},
    {"AnEditedSession",
     "UPDATE sessions SET version = '9'",
     {"dns 1 dns_events: edited: its contents do not give its hash after that of row 0",
      "proxy 1 net_events: edited: its contents do not give its hash after that of row 0"}},
    {"AnEditedHead",
     "UPDATE chain_heads SET hash = zeroblob(32) WHERE writer = 'dns'",
     {"dns 4 chain_heads: edited: the hash of the chain's last row is not the one recorded at its commit"}},
    {"AHeadTakenAway",
     "DELETE FROM chain_heads WHERE writer = 'dns'",
     {"dns 0 chain_heads: unknown writer: the log records no chain of this name"}},
};

class AuditVerifyTampered : public testing::TestWithParam<TamperCase> {};

TEST_P(AuditVerifyTampered, IsFoundAndNamed) {
  const TempFolder folder;
  const std::string path = folder.file("audit.db");
  write_log(path);
  tamper(path, GetParam().sql);
  EXPECT_THAT(faults_of(path), ElementsAreArray(GetParam().faults));
}

INSTANTIATE_TEST_SUITE_P(Cases, AuditVerifyTampered, testing::ValuesIn(kTamperCases),
                         [](const auto& tested) { return tested.param.name; });

TEST(AuditVerify, SaysWhatIsNoAuditLog) {
  const TempFolder folder;
  auto report = verify(folder.file("audit.db"));
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace gatehouse::audit
