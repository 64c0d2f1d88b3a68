#include <algorithm>

#include "common/policy/git.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kRefs = "/info/refs";
constexpr std::string_view kUpload = "/git-upload-pack";
constexpr std::string_view kReceive = "/git-receive-pack";
constexpr std::string_view kLfsBatch = "/info/lfs/objects/batch";

std::string_view repository_before(std::string_view path, std::string_view suffix) {
  path.remove_suffix(suffix.size());
  if (path.ends_with(".git")) path.remove_suffix(4);
  return path;
}

}  // namespace

GitTarget git_target(std::string_view method, std::string_view path, std::string_view query) {
  if (path.ends_with(kRefs) && (method == "GET" || method == "HEAD")) {
    const auto repository = repository_before(path, kRefs);
    if (query == "service=git-upload-pack") return {GitService::fetch, repository};
    if (query == "service=git-receive-pack") return {GitService::push_refs, repository};
    return {};
  }
  if (method != "POST") {
    // Pushes over WebDAV.
    constexpr std::string_view kMethods[] = {"PUT", "MKCOL", "LOCK", "UNLOCK", "MOVE", "COPY", "PROPFIND", "PROPPATCH"};
    const bool writes = std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
    if (writes && fold_case(path).find(".git/") != std::string::npos) return {GitService::unclear, path};
    return {};
  }
  if (path.ends_with(kUpload)) return {GitService::fetch, repository_before(path, kUpload)};
  if (path.ends_with(kReceive)) return {GitService::push, repository_before(path, kReceive)};
  const std::string folded = fold_case(path);
  if (folded.ends_with(kLfsBatch)) return {GitService::lfs, repository_before(path, kLfsBatch)};
  // A server that does not tell letters apart, or leaves a slash at the end out.
  const auto trimmed = std::string_view(folded).substr(0, folded.find_last_not_of('/') + 1);
  if (trimmed.ends_with(kReceive)) return {GitService::unclear, path};
  return {};
}

}  // namespace gatehouse::policy
