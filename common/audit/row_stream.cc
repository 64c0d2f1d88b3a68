#include "common/audit/row_stream.h"

namespace gatehouse::audit {

Result<RowStream> RowStream::prepare(Database& database) {
  RowStream stream;
  for (const Table* table : tables()) {
    auto select = database.prepare(select_after_sql(*table));
    if (!select) return failed(select, table->name);
    stream.sources_.push_back({table, std::move(*select), {}});
  }
  return stream;
}

Result<void> RowStream::advance(Source& source) {
  auto row = source.select.step();
  if (!row) return failed(row, source.table->name);
  source.position.reset();
  if (*row) source.position = source.select.integer(kPosition);
  return {};
}

Result<void> RowStream::start(int64_t position) {
  for (auto& source : sources_) {
    source.select.reset();
    source.select.bind(1, position);
    if (auto moved = advance(source); !moved) return moved;
  }
  return {};
}

Result<std::optional<StoredRow>> RowStream::next() {
  Source* first = nullptr;
  for (auto& source : sources_) {
    if (source.position && (first == nullptr || *source.position < *first->position)) first = &source;
  }
  if (first == nullptr) return std::nullopt;
  StoredRow stored{{first->table, {}}, {}};
  const int columns = static_cast<int>(first->table->columns.size());
  stored.row.values.reserve(first->table->columns.size());
  for (int i = 0; i < columns; ++i) stored.row.values.push_back(first->select.value(i));
  stored.hash = first->select.bytes(columns);
  if (auto moved = advance(*first); !moved) return failed(moved);
  return stored;
}

void RowStream::stop() {
  for (auto& source : sources_) {
    source.select.reset();
    source.position.reset();
  }
}

}  // namespace gatehouse::audit
