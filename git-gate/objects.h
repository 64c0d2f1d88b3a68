// git's objects as bytes: commits, tags and trees (gitformat-*; the forms that `git fsck` accepts). Passive; the bytes
// are hostile, and every part that is not understood is an error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/git/object_id.h"

namespace gatehouse::git_gate {

using git::ObjectFormat;

enum class ObjectType { commit, tree, blob, tag };
std::string_view to_string(ObjectType type);
Result<ObjectType> parse_object_type(std::string_view word);

struct Commit {
  std::string_view tree;
  std::vector<std::string_view> parents;
  std::string_view author;     // "Name <address>", without the time
  std::string_view committer;  // likewise
  std::string_view headers;    // all further ones: encoding, signature, merged tags
  std::string_view message;
};
Result<Commit> parse_commit(std::string_view bytes, ObjectFormat format);

struct Tag {
  std::string_view object;
  std::string_view type;
  std::string_view name;
  std::string_view tagger;   // as Commit::author; may be empty
  std::string_view headers;  // all further ones
  std::string_view message;
};
Result<Tag> parse_tag(std::string_view bytes, ObjectFormat format);

struct TreeEntry {
  uint32_t mode = 0;
  std::string_view name;  // a single component
  std::string_view id;    // raw bytes
  bool is_tree() const { return mode == 040000; }
  bool is_submodule() const { return mode == 0160000; }
};
// Calls `use` for each, in the tree's order.
Result<void> read_tree(std::string_view bytes, ObjectFormat format, const std::function<void(const TreeEntry&)>& use);

// Whether `message` has the trailer "name: something" among the lines of its last paragraph (git-interpret-trailers).
bool has_trailer(std::string_view message, std::string_view name);

}  // namespace gatehouse::git_gate
