#include "common/git/lfs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace gatehouse::git {

namespace {

using nlohmann::json;

constexpr std::string_view kOperation = "operation";

bool is_operation(std::string_view key) {
  return std::equal(key.begin(), key.end(), kOperation.begin(), kOperation.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

}  // namespace

Result<LfsOperation> parse_lfs_batch(std::string_view body) {
  if (body.size() > kMaxLfsBatchBytes) return fail("it is longer than {} bytes", kMaxLfsBatchBytes);
  size_t named = 0;
  const auto see = [&](int depth, json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 && is_operation(parsed.get_ref<const std::string&>())) ++named;
    return true;
  };
  try {
    const auto batch = json::parse(body, see);
    const auto operation = batch.is_object() ? batch.find(kOperation) : batch.end();
    if (named != 1 || operation == batch.end()) return fail("it does not name one operation");
    if (*operation == "download") return LfsOperation::download;
    if (*operation == "upload") return LfsOperation::upload;
    return fail("its operation is neither download nor upload");
  } catch (const json::exception&) {
    return fail("it is no JSON");
  }
}

std::string lfs_refusal(std::string_view words) {
  return json{{"message", words}}.dump(-1, ' ', true, json::error_handler_t::replace);
}

}  // namespace gatehouse::git
