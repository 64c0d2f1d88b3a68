#include <algorithm>
#include <charconv>

#include "common/base/log.h"
#include "common/policy/http_words.h"
#include "common/policy/sections.h"
#include "common/policy/text_glob.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kHttps = "https://";
constexpr SizeRange kPackRange{1 << 10, uint64_t{2} << 30, "1KiB to 2GiB"};
constexpr SizeRange kFileRange{0, uint64_t{2} << 30, "0 to 2GiB"};
constexpr int64_t kMaxObjects = 10'000'000;
constexpr std::string_view kSignedWords[] = {"deny", "allow", "require"};

Result<RemotePattern> parse_remote(std::string_view text) {
  const std::string shown = log::printable(text, 200);
  if (!text.starts_with(kHttps)) return fail("the remote '{}' must begin with https://", shown);
  std::string_view rest = text.substr(kHttps.size());
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) {
    return fail("the remote '{}' names no repository; write https://host/path", shown);
  }
  RemotePattern remote;
  remote.text = text;
  std::string_view authority = rest.substr(0, slash);
  if (const size_t colon = authority.find(':'); colon != std::string_view::npos) {
    const char* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(authority.data() + colon + 1, end, remote.port);
    if (error != std::errc() || stop != end || remote.port == 0)
      return fail("the remote '{}' has no sound port", shown);
    authority = authority.substr(0, colon);
  }
  auto host = HostPattern::parse(authority, HostPattern::Suffixes::taken);
  if (!host) return failed(host);
  remote.host = std::move(*host);
  std::string_view path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with(".git")) path.remove_suffix(4);
  auto glob = PathGlob::parse(path);
  if (!glob) return failed(glob);
  remote.path = std::move(*glob);
  return remote;
}

Result<std::string> parse_person(const std::string& text) {
  if (text.find('<') == std::string::npos || !text.ends_with('>')) {
    return fail("'{}' is no pattern of a person; write \"Name <address>\", * for any characters",
                log::printable(text, 100));
  }
  return text;
}

Result<std::string> parse_trailer(const std::string& text) {
  if (!is_token(text)) return fail("'{}' is no name of a trailer", log::printable(text, 100));
  return text;
}

Result<HostPattern> parse_host(const std::string& text) { return HostPattern::parse(text); }

template <class T, class Parse>
Result<void> read_list(const FieldReader& reader, const JsonNode& object, std::string_view key, Parse parse,
                       std::optional<std::vector<T>>& into) {
  const JsonNode* node = object.find(key);
  if (node == nullptr) return {};
  auto list = reader.parsed_strings<T>(*node, key, parse);
  if (!list) return failed(list);
  into = std::move(*list);
  return {};
}

Result<void> read_flag(const FieldReader& reader, const JsonNode& object, std::string_view key, bool& into) {
  const JsonNode* node = object.find(key);
  if (node == nullptr) return {};
  if (auto ok = reader.expect_kind(*node, JsonNode::Kind::boolean, key, "true or false"); !ok) return ok;
  into = node->boolean;
  return {};
}

Result<void> read_signature(const FieldReader& reader, const JsonNode& object, SignedPush& into) {
  const JsonNode* node = object.find("signed");
  if (node == nullptr) return {};
  const auto word = reader.word_of(*node, "signed", kSignedWords);
  if (!word) return failed(word);
  into = *word == "deny" ? SignedPush::denied : *word == "allow" ? SignedPush::allowed : SignedPush::required;
  return {};
}

Result<void> read_bounds(const FieldReader& reader, const JsonNode& node, GitPush& push) {
  if (const JsonNode* objects = node.find("objects")) {
    if (objects->kind != JsonNode::Kind::integer || objects->integer < 1 || objects->integer > kMaxObjects) {
      return reader.refuse(objects->offset, fmt::format("'objects' is a number of 1 to {}", kMaxObjects));
    }
    push.objects = static_cast<uint64_t>(objects->integer);
  }
  if (const JsonNode* pack = node.find("pack_size")) {
    const auto size = read_size(reader, *pack, "pack_size", kPackRange);
    if (!size) return failed(size);
    push.pack_bytes = *size;
  }
  if (const JsonNode* file = node.find("file_size")) {
    const auto size = read_size(reader, *file, "file_size", kFileRange);
    if (!size) return failed(size);
    push.file_bytes = *size;
  }
  return {};
}

Result<GitPush> read_push(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_kind(node, JsonNode::Kind::object, "push", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kGitPushKeys); !ok) return failed(ok);
  GitPush push;
  std::optional<std::vector<PathGlob>> branches, tags, protects;
  for (const auto& [key, list] : {std::pair{std::string_view("branches"), &branches},
                                  {"tags", &tags},
                                  {"protected", &protects},
                                  {"unchanged", &push.unchanged}}) {
    if (auto ok = read_list(reader, node, key, parse_repository_glob, *list); !ok) return failed(ok);
  }
  push.branches = std::move(branches).value_or(std::vector<PathGlob>());
  push.tags = std::move(tags).value_or(std::vector<PathGlob>());
  push.protects = std::move(protects).value_or(std::vector<PathGlob>());
  for (const auto& [key, flag] : {std::pair{std::string_view("create"), &push.create},
                                  {"update", &push.update},
                                  {"delete", &push.remove},
                                  {"force", &push.force},
                                  {"push_options", &push.push_options},
                                  {"lfs", &push.lfs},
                                  {"atomic", &push.atomic}}) {
    if (auto ok = read_flag(reader, node, key, *flag); !ok) return failed(ok);
  }
  if (auto ok = read_bounds(reader, node, push); !ok) return failed(ok);
  if (auto ok = read_signature(reader, node, push.signature); !ok) return failed(ok);
  if (auto ok = read_list(reader, node, "submodules", parse_host, push.submodules); !ok) return failed(ok);
  if (auto ok = read_list(reader, node, "lfs_hosts", parse_host, push.lfs_hosts); !ok) return failed(ok);
  if (auto ok = read_list(reader, node, "authors", parse_person, push.authors); !ok) return failed(ok);
  if (auto ok = read_list(reader, node, "trailers", parse_trailer, push.trailers); !ok) return failed(ok);
  return push;
}

Result<GitRule> read_rule(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "git"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kGitKeys); !ok) return failed(ok);
  GitRule rule;
  rule.place = reader.place_of(node);
  auto id = reader.id_of(node);
  if (!id) return failed(id);
  rule.id = std::move(*id);
  const auto action = reader.action_of(node, "action");
  if (!action) return failed(action);
  rule.action = *action;
  auto remotes = read_remotes(reader, node, rule.action);
  if (!remotes) return failed(remotes);
  rule.remotes = std::move(*remotes);
  if (auto ok = read_flag(reader, node, "fetch", rule.fetch); !ok) return failed(ok);
  if (const JsonNode* push_node = node.find("push")) {
    if (rule.action == Verdict::deny) {
      return reader.refuse(push_node->offset, "'push' says what may be pushed; this rule denies every push");
    }
    auto push = read_push(reader, *push_node);
    if (!push) return failed(push);
    rule.push = std::move(*push);
  }
  auto reason = reader.reason_of(node);
  if (!reason) return failed(reason);
  rule.reason = std::move(*reason);
  return rule;
}

}  // namespace

// Names of branches or tags, and paths in a repository: globs that do not begin with a slash.
Result<PathGlob> parse_repository_glob(const std::string& text) {
  if (text.starts_with('/')) return fail("'{}' must not begin with '/'", log::printable(text, 100));
  return PathGlob::parse("/" + text);
}

Result<std::vector<RemotePattern>> read_remotes(const FieldReader& reader, const JsonNode& node, Verdict action) {
  const auto list = reader.required(node, "remotes");
  if (!list) return failed(list);
  auto remotes = reader.parsed_strings<RemotePattern>(**list, "remotes", parse_remote);
  if (!remotes) return failed(remotes);
  for (const auto& remote : *remotes) {
    if (action == Verdict::deny || remote.host.kind == HostPattern::Kind::exact) continue;
    const auto narrow = HostPattern::parse(remote.host.to_string());
    if (!narrow) return reader.refuse((*list)->offset, narrow.error().message());
    if (is_special_use_name(remote.host.name)) {
      return reader.refuse((*list)->offset, fmt::format("'{}' is under a name that is local to each network; "
                                                        "name such hosts exactly",
                                                        remote.host.to_string()));
    }
  }
  return remotes;
}

Result<std::vector<GitRule>> read_git(const FieldReader& reader, const JsonNode& section) {
  return reader.list_of_items<GitRule>(section, "git", "a list of objects",
                                       [&](const JsonNode& node) { return read_rule(reader, node); });
}

}  // namespace gatehouse::policy
