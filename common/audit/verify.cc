#include <map>

#include "common/audit/chain_check.h"
#include "common/audit/schema.h"

namespace gatehouse::audit {

namespace {

Result<std::map<std::string, RecordedHead>> read_heads(Database& database) {
  auto select = database.prepare("SELECT writer, seq, hash FROM chain_heads");
  if (!select) return failed(select);
  std::map<std::string, RecordedHead> heads;
  for (;;) {
    auto row = select->step();
    if (!row) return failed(row);
    if (!*row) return heads;
    heads[select->bytes(0)] = {select->integer(1), select->bytes(2)};
  }
}

Result<ChainReport> verify_database(Database& database) {
  auto session = check_schema(database);
  if (!session) return failed(session);
  auto moment = Transaction::begin(database, Transaction::Kind::read);
  if (!moment) return failed(moment);
  auto heads = read_heads(database);
  if (!heads) return failed(heads);
  std::map<std::string, ChainCheck> chains;
  for (const auto& [writer, head] : *heads) chains.emplace(writer, ChainCheck(writer, *session, head));

  auto rows = RowStream::prepare(database);
  if (!rows) return failed(rows);
  if (auto started = rows->start(0); !started) return failed(started);
  ChainReport report;
  for (;;) {
    auto row = rows->next();
    if (!row) return failed(row);
    if (!*row) break;
    ++report.rows;
    const auto* writer = std::get_if<std::string>(&(*row)->row.values[kWriter]);
    const std::string name = writer == nullptr ? "" : *writer;
    const auto chain = chains.try_emplace(name, name, *session, std::nullopt).first;
    chain->second.row(**row);
  }
  report.writers = static_cast<int64_t>(chains.size());
  for (auto& [writer, chain] : chains) {
    for (auto& fault : chain.finish()) report.faults.push_back(std::move(fault));
  }
  return report;
}

}  // namespace

Result<ChainReport> verify(const std::string& path) {
  auto database = Database::open(path, Database::Mode::read_only);
  if (!database) return failed(database);
  auto report = verify_database(*database);
  if (!report) return failed(report, path);
  return report;
}

}  // namespace gatehouse::audit
