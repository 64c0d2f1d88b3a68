#include "dlp/rule_pattern.h"

#include <hs/hs_compile.h>

#include <cstdlib>

namespace gatehouse::dlp {

namespace {

// Program and state caches of one pattern. RE2 drops its states and goes on when they are full; two hundred patterns
// that a hostile body fills to the brim stay under 64 MiB.
constexpr int64_t kMaxRe2Bytes = 256 * 1024;

}  // namespace

RE2::Options re2_options() {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_never_nl(false);
  options.set_max_mem(kMaxRe2Bytes);
  return options;
}

Result<PatternInfo> inspect_pattern(const std::string& pattern) {
  if (pattern.empty()) return fail("is empty");
  if (pattern.find('\0') != std::string::npos) return fail("holds a NUL byte; write \\x00");

  const RE2 re2(pattern, re2_options());
  if (!re2.ok()) return fail("does not compile (RE2): {}", re2.error());

  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_expression_info(pattern.c_str(), HS_FLAG_ALLOWEMPTY, &info, &error) != HS_SUCCESS) {
    auto refused = fail("does not compile (Hyperscan): {}", error == nullptr ? "unknown error" : error->message);
    if (error != nullptr) hs_free_compile_error(error);
    return refused;
  }
  PatternInfo result;
  result.min_width = info->min_width;
  result.max_width = info->max_width;
  result.groups = re2.NumberOfCapturingGroups();
  std::free(info);  // the library's own allocator is malloc: none is set
  if (result.min_width == 0 || RE2::FullMatch("", re2)) return fail("can match the empty string");
  return result;
}

}  // namespace gatehouse::dlp
