// The rows of all tables as one stream in order of commit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/audit/database.h"
#include "common/audit/tables.h"

namespace gatehouse::audit {

struct StoredRow {
  Row row;
  std::string hash;
};

class RowStream {
 public:
  // `database` must outlive the stream. Read within one transaction, or the tables are not of one moment.
  static Result<RowStream> prepare(Database& database);

  // Begins behind `position`; 0 is the beginning.
  Result<void> start(int64_t position);
  // Empty at the end.
  Result<std::optional<StoredRow>> next();
  // Lets go of the rows not read.
  void stop();

 private:
  struct Source {
    const Table* table;
    Statement select;
    std::optional<int64_t> position;  // of the row the statement stands on
  };
  static Result<void> advance(Source& source);

  std::vector<Source> sources_;
};

}  // namespace gatehouse::audit
