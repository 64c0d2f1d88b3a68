// Which members of a JSON document are wanted, by their paths.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "proxy/telemetry/json_reader.h"

namespace gatehouse::proxy {

template <class Field>
struct WantedField {
  std::string_view path;  // "usage.input_tokens", "content[].id"
  Field field;
  JsonListener::Wish wish = JsonListener::Wish::whole;
};

// What the table says of the value at `path`. Containers on the way to a wanted one are looked into.
template <class Field>
JsonListener::Interest look_up(std::span<const WantedField<Field>> table, std::string_view path, JsonKind kind) {
  using Wish = JsonListener::Wish;
  const bool container = kind == JsonKind::object || kind == JsonKind::array;
  bool on_the_way = path.empty();
  for (const auto& wanted : table) {
    if (wanted.path == path) return {wanted.wish, static_cast<int>(wanted.field)};
    if (!container || wanted.path.size() <= path.size() || !wanted.path.starts_with(path)) continue;
    on_the_way = on_the_way || wanted.path[path.size()] == '.' || wanted.path[path.size()] == '[';
  }
  return {container && on_the_way ? Wish::look : Wish::skip, 0};
}

// The text of a whole value that is short; more of it is dropped.
class ShortText {
 public:
  static constexpr size_t kMaxBytes = 128;
  void clear() {
    text_.clear();
    cut_ = false;
  }
  void add(std::string_view piece) {
    cut_ = cut_ || piece.size() > kMaxBytes - text_.size();
    text_ += piece.substr(0, kMaxBytes - text_.size());
  }
  const std::string& text() const { return text_; }
  bool whole() const { return !cut_; }

 private:
  std::string text_;
  bool cut_ = false;
};

}  // namespace gatehouse::proxy
