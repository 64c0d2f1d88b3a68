// Hyperscan's working memory: one for each thread that scans, for any number of databases.
#pragma once

#include <hs/hs.h>

#include <memory>

#include "common/base/result.h"

namespace gatehouse::dlp {

class Scratch {
 public:
  // Makes it large enough for `database` too. Not while a scan is under way.
  Result<void> cover(const hs_database_t* database);
  hs_scratch_t* get() const { return scratch_.get(); }

 private:
  struct Free {
    void operator()(hs_scratch_t* scratch) const { hs_free_scratch(scratch); }
  };
  std::unique_ptr<hs_scratch_t, Free> scratch_;
};

}  // namespace gatehouse::dlp
