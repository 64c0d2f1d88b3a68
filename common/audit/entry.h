// A stored row as a person or a script reads it.
#pragma once

#include "common/audit/reader.h"
#include "common/audit/row_stream.h"

namespace gatehouse::audit {

Entry to_entry(const StoredRow& stored);

}  // namespace gatehouse::audit
