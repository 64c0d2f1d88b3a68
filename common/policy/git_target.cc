#include <algorithm>

#include "common/policy/git.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kRefs = "/info/refs";
constexpr std::string_view kUpload = "/git-upload-pack";
constexpr std::string_view kReceive = "/git-receive-pack";
constexpr std::string_view kLfsBatch = "/info/lfs/objects/batch";

constexpr std::string_view kLfs = "/info/lfs/";
constexpr std::string_view kLfsObject = "/info/lfs/objects/";
constexpr size_t kMinObjectDigits = 36;  // of a loose object's name, after the first two

std::string_view repository_before(std::string_view path, std::string_view suffix) {
  path.remove_suffix(suffix.size());
  if (path.ends_with(".git")) path.remove_suffix(4);
  return path;
}

size_t hex_digits(std::string_view text) { return std::min(text.find_first_not_of("0123456789abcdef"), text.size()); }

bool is_lfs_object(std::string_view path) {
  const size_t at = path.find(kLfsObject);
  if (at == std::string_view::npos) return false;
  const auto name = path.substr(at + kLfsObject.size());
  return name.size() == 64 && hex_digits(name) == name.size();
}

// Whether a server without smart HTTP keeps something of a repository there.
bool is_in_repository(std::string_view folded) {
  for (const std::string_view part : {".git/", "/objects/pack/", "/objects/info/", "/refs/heads/", "/refs/tags/"}) {
    if (folded.find(part) != std::string_view::npos) return true;
  }
  if (folded.ends_with(".git") || folded.ends_with(kRefs)) return true;
  constexpr std::string_view kObjects = "/objects/";
  for (size_t at = folded.find(kObjects); at != std::string_view::npos; at = folded.find(kObjects, at + 1)) {
    const auto name = folded.substr(at + kObjects.size());
    if (hex_digits(name.substr(0, 2)) != 2 || name.size() < 2) continue;
    if (name.size() == 2 || name == std::string(name.substr(0, 2)) + "/") return true;
    if (name[2] == '/' && hex_digits(name.substr(3)) >= kMinObjectDigits) return true;
  }
  return false;
}

}  // namespace

GitTarget git_target(std::string_view method, std::string_view path, std::string_view query) {
  if (path.ends_with(kRefs) && (method == "GET" || method == "HEAD")) {
    const auto repository = repository_before(path, kRefs);
    if (query == "service=git-upload-pack") return {GitService::fetch, repository};
    if (query == "service=git-receive-pack") return {GitService::push_refs, repository};
    return {};
  }
  const std::string folded = fold_case(path);
  const bool post = method == "POST";
  constexpr std::string_view kMethods[] = {"PUT",  "MKCOL",    "LOCK",      "UNLOCK", "MOVE",
                                           "COPY", "PROPFIND", "PROPPATCH", "DELETE"};
  const bool writes = post || std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
  if (!writes) {
    if (method == "GET" && is_lfs_object(path))
      return {GitService::fetch, repository_before(path, path.substr(path.find(kLfs)))};
    return {};
  }
  if (const size_t lfs = folded.find(kLfs); lfs != std::string::npos) {
    if (path.substr(lfs, kLfs.size()) != kLfs || path.find(kLfs, lfs + 1) != std::string_view::npos) {
      return {GitService::unclear, path};
    }
    const auto repository = repository_before(path, path.substr(lfs));
    if (post && path.substr(lfs) == kLfsBatch) return {GitService::lfs, repository};
    return {post || method == "PUT" ? GitService::lfs_upload : GitService::unclear, repository};
  }
  // Pushes over WebDAV. Interfaces of forges remove refs at such paths, too.
  const bool own = method != "DELETE" || folded.find(".git/") != std::string::npos;
  if (!post) return {own && is_in_repository(folded) ? GitService::unclear : GitService::none, path};
  if (path.ends_with(kUpload)) return {GitService::fetch, repository_before(path, kUpload)};
  if (path.ends_with(kReceive)) return {GitService::push, repository_before(path, kReceive)};
  // A server that does not tell letters apart, or leaves a slash at the end out.
  const auto trimmed = std::string_view(folded).substr(0, folded.find_last_not_of('/') + 1);
  if (trimmed.ends_with(kReceive)) return {GitService::unclear, path};
  return {};
}

}  // namespace gatehouse::policy
