// How the objects of one pack hang together: which commit follows which, and by which name an object can be reached.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "git-gate/object_key.h"
#include "git-gate/objects.h"
#include "git-gate/room.h"

namespace gatehouse::git_gate {

inline constexpr size_t kMaxPathDepth = 128;
inline constexpr size_t kMaxNamesBytes = 32 << 20;  // for names of files; beyond them a path is not known

class PackGraph {
 public:
  explicit PackGraph(ObjectFormat format, std::shared_ptr<Room> room = std::make_shared<Room>())
      : format_(format), room_(std::move(room)) {}

  // False when there is no room: what the push is cannot be told.
  bool add_commit(std::string_view id, const Commit& commit);
  bool add_tag(std::string_view id, const Tag& tag);
  void add_entry(const ObjectKey& tree, const TreeEntry& entry);

  bool has_commit(std::string_view id) const { return commits_.contains(ObjectKey::of_hex(id)); }

  // One path by which the object can be reached from a tree without a parent in the pack; empty when none is known.
  std::string path_of(std::string_view id) const;

  struct CommitFacts {
    ObjectKey tree;
    std::vector<ObjectKey> parents;
  };
  const std::unordered_map<ObjectKey, CommitFacts, ObjectKeyHash>& commits() const { return commits_; }
  const std::unordered_map<ObjectKey, ObjectKey, ObjectKeyHash>& tags() const { return tags_; }  // to what they point
  ObjectFormat format() const { return format_; }

 private:
  struct Name {
    ObjectKey tree;
    std::string name;
  };
  ObjectFormat format_;
  std::shared_ptr<Room> room_;
  Room names_room_{kMaxNamesBytes};
  std::unordered_map<ObjectKey, CommitFacts, ObjectKeyHash> commits_;
  std::unordered_map<ObjectKey, ObjectKey, ObjectKeyHash> tags_;
  std::unordered_map<ObjectKey, Name, ObjectKeyHash> names_;
};

}  // namespace gatehouse::git_gate
