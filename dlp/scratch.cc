#include "dlp/scratch.h"

namespace gatehouse::dlp {

Result<void> Scratch::cover(const hs_database_t* database) {
  hs_scratch_t* scratch = scratch_.release();
  const hs_error_t error = hs_alloc_scratch(database, &scratch);
  if (error == HS_SUCCESS || error == HS_NOMEM) scratch_.reset(scratch);
  if (error != HS_SUCCESS) return fail("no scratch space for a rule table (Hyperscan error {})", error);
  return {};
}

}  // namespace gatehouse::dlp
