// The output of `git cat-file --batch` as events: "<id> <type> <size>\n", that many bytes, "\n", and so on. Passive.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "git-gate/objects.h"

namespace gatehouse::git_gate {

struct ObjectHead {
  std::string id;
  ObjectType type = ObjectType::blob;
  uint64_t size = 0;
};

class BatchReader {
 public:
  explicit BatchReader(ObjectFormat format) : format_(format) {}

  struct Event {
    enum class Kind { need_more, begin, bytes, end };
    Kind kind = Kind::need_more;
    size_t consumed = 0;
    std::string_view bytes = {};  // of the input
  };
  // The next event of `input`, from which the caller takes `consumed` away.
  Result<Event> next(std::string_view input);

  const ObjectHead& head() const { return head_; }  // of the object that has begun
  bool at_boundary() const { return stage_ == Stage::head && line_.empty(); }

 private:
  enum class Stage { head, content, line_feed };
  Result<void> read_head();

  ObjectFormat format_;
  Stage stage_ = Stage::head;
  std::string line_;
  ObjectHead head_;
  uint64_t left_ = 0;
};

}  // namespace gatehouse::git_gate
