#include "git-gate/objects.h"

#include <algorithm>

#include "common/policy/text_glob.h"

namespace gatehouse::git_gate {

namespace {

constexpr size_t kMaxModeDigits = 6;

// The header lines of a commit or tag, one at a time. A line that begins with a space goes on with the one before.
class HeaderLines {
 public:
  explicit HeaderLines(std::string_view bytes) : rest_(bytes) {}

  // The value of the next line if its key is `key`.
  Result<std::string_view> required(std::string_view key) {
    auto value = optional(key);
    if (value.data() == nullptr) return fail("no '{}' where it must be", key);
    return value;
  }
  std::string_view optional(std::string_view key) {
    if (!rest_.starts_with(key) || !rest_.substr(key.size()).starts_with(' ')) return {};
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return {};
    const auto value = rest_.substr(key.size() + 1, end - key.size() - 1);
    rest_.remove_prefix(end + 1);
    return value;
  }
  // All further headers, and what follows the empty line after them.
  Result<std::string_view> message(std::string_view& headers) {
    const std::string_view all = rest_;
    while (!rest_.empty() && rest_.front() != '\n') {
      const size_t end = rest_.find('\n');
      if (end == std::string_view::npos) return fail("a header line without an end");
      rest_.remove_prefix(end + 1);
    }
    headers = all.substr(0, all.size() - rest_.size());
    return rest_.empty() ? rest_ : rest_.substr(1);
  }

 private:
  std::string_view rest_;
};

// "Name <address> 1700000000 +0000" without the time.
Result<std::string_view> identity(std::string_view line) {
  const size_t close = line.rfind('>');
  if (close == std::string_view::npos) return fail("a person without an address");
  return line.substr(0, close + 1);
}

std::string_view last_paragraph(std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  const size_t gap = message.rfind("\n\n");
  return gap == std::string_view::npos ? std::string_view() : message.substr(gap + 2);
}

}  // namespace

std::string_view to_string(ObjectType type) {
  switch (type) {
    case ObjectType::commit:
      return "commit";
    case ObjectType::tree:
      return "tree";
    case ObjectType::blob:
      return "blob";
    case ObjectType::tag:
      return "tag";
  }
  return "object";
}

Result<ObjectType> parse_object_type(std::string_view word) {
  for (const auto type : {ObjectType::commit, ObjectType::tree, ObjectType::blob, ObjectType::tag}) {
    if (word == to_string(type)) return type;
  }
  return fail("an object of an unknown type");
}

Result<Commit> parse_commit(std::string_view bytes, ObjectFormat format) {
  Commit commit;
  HeaderLines lines(bytes);
  const auto tree = lines.required("tree");
  if (!tree) return failed(tree);
  commit.tree = *tree;
  for (auto parent = lines.optional("parent"); parent.data() != nullptr; parent = lines.optional("parent")) {
    commit.parents.push_back(parent);
  }
  const auto is_id = [format](std::string_view id) { return git::is_object_id(id, format); };
  if (!is_id(commit.tree) || !std::all_of(commit.parents.begin(), commit.parents.end(), is_id)) {
    return fail("a commit without object ids");
  }
  for (const auto& [key, person] : {std::pair{"author", &commit.author}, std::pair{"committer", &commit.committer}}) {
    const auto line = lines.required(key);
    if (!line) return failed(line);
    const auto who = identity(*line);
    if (!who) return failed(who);
    *person = *who;
  }
  const auto message = lines.message(commit.headers);
  if (!message) return failed(message);
  commit.message = *message;
  return commit;
}

Result<Tag> parse_tag(std::string_view bytes, ObjectFormat format) {
  Tag tag;
  HeaderLines lines(bytes);
  for (const auto& [key, part] :
       {std::pair{"object", &tag.object}, std::pair{"type", &tag.type}, std::pair{"tag", &tag.name}}) {
    const auto line = lines.required(key);
    if (!line) return failed(line);
    *part = *line;
  }
  if (!git::is_object_id(tag.object, format)) return fail("a tag without an object id");
  if (const auto line = lines.optional("tagger"); line.data() != nullptr) {
    const auto who = identity(line);
    if (!who) return failed(who);
    tag.tagger = *who;
  }
  const auto message = lines.message(tag.headers);
  if (!message) return failed(message);
  tag.message = *message;
  return tag;
}

Result<void> read_tree(std::string_view bytes, ObjectFormat format, const std::function<void(const TreeEntry&)>& use) {
  const size_t id_bytes = git::raw_length(format);
  while (!bytes.empty()) {
    TreeEntry entry;
    size_t at = 0;
    for (; at < bytes.size() && at < kMaxModeDigits && bytes[at] >= '0' && bytes[at] <= '7'; ++at) {
      entry.mode = entry.mode * 8 + static_cast<uint32_t>(bytes[at] - '0');
    }
    if (at == 0 || at >= bytes.size() || bytes[at] != ' ') return fail("a tree entry without a mode");
    const size_t zero = bytes.find('\0', at + 1);
    if (zero == std::string_view::npos || bytes.size() - zero - 1 < id_bytes)
      return fail("a tree entry that is cut short");
    entry.name = bytes.substr(at + 1, zero - at - 1);
    entry.id = bytes.substr(zero + 1, id_bytes);
    if (entry.name.empty() || entry.name == "." || entry.name == ".." ||
        entry.name.find('/') != std::string_view::npos) {
      return fail("a tree entry whose name is none");
    }
    use(entry);
    bytes.remove_prefix(zero + 1 + id_bytes);
  }
  return {};
}

bool has_trailer(std::string_view message, std::string_view name) {
  auto lines = last_paragraph(message);
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || policy::fold_case(line.substr(0, colon)) != policy::fold_case(name))
      continue;
    if (line.substr(colon + 1).find_first_not_of(" \t\r") != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace gatehouse::git_gate
