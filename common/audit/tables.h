// The tables of the audit log, described once: CREATE TABLE, INSERT, SELECT, the canonical row that is hashed, and JSON
// all come from this list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/audit/event.h"

namespace gatehouse::audit {

using Value = std::variant<std::monostate, int64_t, std::string>;  // SQL NULL, INTEGER, TEXT

enum class ColumnType { integer, text, json };  // json: TEXT holding a JSON value

struct Column {
  std::string_view name;
  ColumnType type;
  bool nullable = false;
};

struct Table {
  std::string_view name;
  std::vector<Column> columns;  // the chain columns, then the table's own; `hash` comes after them and is not listed
};

// The columns every table begins with, in this order.
enum ChainColumn : size_t {
  kPosition,  // order of commit over all tables and writers, from 1; the primary key
  kEventId,   // UUIDv7, unique in the table
  kTimeUs,    // when append() was called, microseconds since 1970 UTC
  kSession,
  kWriter,
  kSeq,  // place in the writer's chain, from 1 without a gap
  kTraceId,
  kChainColumnCount,
};

struct Row {
  const Table* table = nullptr;
  std::vector<Value> values;  // one for each of table->columns
};

// All tables that hold chained rows, in a fixed order.
const std::vector<const Table*>& tables();

// The row of `event`; position, session, writer and seq are left for the writer to fill in. An event without an id of
// its own gets a new one.
Row to_row(const Event& event, int64_t time_us);

// The value of a named column, or null when the table has no such column or the value is SQL NULL.
const std::string* find_text(const Row& row, std::string_view column);
const int64_t* find_integer(const Row& row, std::string_view column);

std::string create_table_sql(const Table& table);
std::string insert_sql(const Table& table);        // every column, then hash
std::string select_after_sql(const Table& table);  // every column, then hash, of the rows with position > ?1, in order

}  // namespace gatehouse::audit
