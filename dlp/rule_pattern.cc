#include "dlp/rule_pattern.h"

#include <hs/hs.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "dlp/rule_cache.h"

namespace gatehouse::dlp {

namespace {

// Program and state caches of one pattern. RE2 drops its states and goes on when they are full, at a tenth of its speed
// if that is often, so that a pattern gets memory by its size: a body made to fill all caches of five hundred patterns
// takes some 110 MiB.
constexpr int64_t kBaseRe2Bytes = 192 * 1024;
constexpr int64_t kRe2BytesPerInstruction = 512;
constexpr int kMaxProgram = 8192;

// All that the acceptance of a pattern depends on. RE2 does not tell its version; a pattern it no longer takes stops
// the process when it is needed, and never passes for one without matches.
std::string description() { return fmt::format("patterns 2, hyperscan {}, {}\n", hs_version(), kMaxProgram); }

// "0 42 300 1 90 17\n", the pattern's 17 bytes, "\n".
constexpr std::string_view kFields = " \n";

bool take_number(std::string_view& text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (error != std::errc() || text.empty() || kFields.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

RE2::Options re2_options(int program) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_never_nl(false);
  options.set_max_mem(kBaseRe2Bytes + kRe2BytesPerInstruction * (program == 0 ? kMaxProgram : program));
  return options;
}

Result<PatternInfo> inspect_pattern(const std::string& pattern) {
  if (pattern.empty()) return fail("is empty");
  if (pattern.find('\0') != std::string::npos) return fail("holds a NUL byte; write \\x00");

  const RE2 re2(pattern, re2_options());
  if (!re2.ok()) return fail("does not compile (RE2): {}", re2.error());

  if (re2.ProgramSize() > kMaxProgram || re2.ReverseProgramSize() > kMaxProgram) {
    return fail("is too large: {} instructions, over the limit of {}", re2.ProgramSize(), kMaxProgram);
  }

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
  result.program = std::max(re2.ProgramSize(), re2.ReverseProgramSize());
  std::free(info);  // the library's own allocator is malloc: none is set
  if (result.min_width == 0 || RE2::FullMatch("", re2)) return fail("can match the empty string");
  return result;
}

PatternInspector::PatternInspector(std::string cache_directory) : cache_directory_(std::move(cache_directory)) {
  if (cache_directory_.empty()) return;
  const auto cached = RuleCache(cache_directory_, description()).load();
  if (!cached) return;
  std::string_view text = *cached;
  while (!text.empty()) {
    uint64_t fields[6] = {};
    for (uint64_t& field : fields) {
      if (!take_number(text, field)) return;
    }
    if (fields[5] >= text.size()) return;
    PatternInfo info;
    info.min_width = static_cast<unsigned>(fields[1]);
    info.max_width = static_cast<unsigned>(fields[2]);
    info.groups = static_cast<int>(fields[3]);
    info.program = static_cast<int>(fields[4]);
    known_.emplace(std::pair(fields[0] != 0, std::string(text.substr(0, fields[5]))), info);
    text.remove_prefix(fields[5] + 1);
  }
}

Result<PatternInfo> PatternInspector::inspect(const std::string& pattern) {
  const std::pair key(false, pattern);
  if (const auto known = known_.find(key); known != known_.end()) return accepted_[key] = known->second;
  const auto info = inspect_pattern(pattern);
  if (!info) return info;
  has_new_ = true;
  return accepted_[key] = *info;
}

Result<void> PatternInspector::inspect_allowed(const std::string& pattern) {
  const std::pair key(true, pattern);
  if (known_.find(key) == known_.end()) {
    const RE2 re2(pattern, re2_options());
    if (!re2.ok()) return fail("{}", re2.error());
    has_new_ = true;
  }
  accepted_.emplace(key, PatternInfo{});
  return {};
}

void PatternInspector::store() const {
  if (!has_new_ || cache_directory_.empty()) return;
  std::string content;
  for (const auto& [key, info] : accepted_) {
    const auto& [is_allowed, pattern] = key;
    content += fmt::format("{} {} {} {} {} {}\n{}\n", is_allowed ? 1 : 0, info.min_width, info.max_width, info.groups,
                           info.program, pattern.size(), pattern);
  }
  RuleCache(cache_directory_, description()).store(content);
}

}  // namespace gatehouse::dlp
