#include "common/policy/json_tree.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/log.h"
#include "common/policy/policy.h"

namespace gatehouse::policy {

namespace {

// Feeds the text to the parser and tells how much of it was taken, which is what SAX events do not.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, size_t* consumed) : at_(at), consumed_(consumed) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*consumed_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  size_t* consumed_;
};

bool is_number_byte(char c) { return std::strchr("0123456789+-.eE", c) != nullptr && c != '\0'; }

// Builds the tree out of the parser's events. An event comes when its token has just been taken, so a value's place is
// found by stepping back over the token.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(const SourceText& source, const size_t& consumed) : source_(source), consumed_(consumed) {}

  bool null() override { return add(leaf(JsonNode::Kind::null, consumed_ - 4)); }
  bool boolean(bool value) override {
    JsonNode node = leaf(JsonNode::Kind::boolean, consumed_ - (value ? 4 : 5));
    node.boolean = value;
    return add(std::move(node));
  }
  bool number_integer(number_integer_t value) override {
    JsonNode node = leaf(JsonNode::Kind::integer, number_start());
    node.integer = value;
    return add(std::move(node));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return add(leaf(JsonNode::Kind::real, number_start()));
    }
    return number_integer(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t, const string_t&) override {
    return add(leaf(JsonNode::Kind::real, number_start()));
  }
  bool string(string_t& value) override {
    JsonNode node = leaf(JsonNode::Kind::string, string_start());
    node.text = std::move(value);
    return add(std::move(node));
  }
  bool binary(binary_t&) override { return false; }  // never comes from text

  bool start_object(size_t) override { return open(JsonNode::Kind::object); }
  bool start_array(size_t) override { return open(JsonNode::Kind::array); }
  bool key(string_t& value) override {
    keys_.push_back({std::move(value), string_start(), {}});
    return true;
  }
  bool end_object() override { return refuse_duplicates(open_.back()) && close(); }
  bool end_array() override { return close(); }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& cause) override {
    const size_t at = position == 0 ? 0 : position - 1;
    return refuse(at, "not JSON: " + plain_words(cause.what()));
  }

  JsonNode root;
  std::optional<Error> error;

 private:
  static JsonNode leaf(JsonNode::Kind kind, size_t offset) {
    JsonNode node;
    node.kind = kind;
    node.offset = offset;
    return node;
  }

  bool refuse(size_t offset, std::string_view message) {
    error = source_.error_at(offset, message);
    return false;
  }

  bool open(JsonNode::Kind kind) {
    if (open_.size() >= kMaxPolicyDepth) {
      return refuse(consumed_ - 1, fmt::format("nested deeper than {} levels", kMaxPolicyDepth));
    }
    open_.push_back(leaf(kind, consumed_ - 1));
    return true;
  }

  bool close() {
    JsonNode done = std::move(open_.back());
    open_.pop_back();
    return add(std::move(done));
  }

  bool add(JsonNode node) {
    if (open_.empty()) {
      root = std::move(node);
    } else if (open_.back().kind == JsonNode::Kind::array) {
      open_.back().items.push_back(std::move(node));
    } else {
      keys_.back().value = std::move(node);
      open_.back().members.push_back(std::move(keys_.back()));
      keys_.pop_back();
    }
    return true;
  }

  bool refuse_duplicates(const JsonNode& object) {
    std::vector<const JsonMember*> sorted;
    for (const auto& member : object.members) sorted.push_back(&member);
    const auto by_key = [](const JsonMember* a, const JsonMember* b) {
      return std::tie(a->key, a->offset) < std::tie(b->key, b->offset);
    };
    std::sort(sorted.begin(), sorted.end(), by_key);
    const auto twin = std::adjacent_find(sorted.begin(), sorted.end(),
                                         [](const JsonMember* a, const JsonMember* b) { return a->key == b->key; });
    if (twin == sorted.end()) return true;
    return refuse((*(twin + 1))->offset,
                  fmt::format("duplicate key '{}', first on line {}", log::printable((*twin)->key, 64),
                              source_.line_at((*twin)->offset)));
  }

  // Back from the closing quote to the opening one, the first that no odd run of backslashes escapes.
  size_t string_start() const {
    const std::string& text = source_.text;
    for (size_t at = consumed_ - 1; at-- > 0;) {
      if (text[at] != '"') continue;
      size_t backslashes = 0;
      while (backslashes < at && text[at - backslashes - 1] == '\\') ++backslashes;
      if (backslashes % 2 == 0) return at;
    }
    return 0;
  }

  // The parser has read one byte past a number, unless the text ended with it.
  size_t number_start() const {
    size_t at = consumed_;
    if (at > 0 && !is_number_byte(source_.text[at - 1])) --at;
    while (at > 0 && is_number_byte(source_.text[at - 1])) --at;
    return at;
  }

  // "[id] parse error at line 1, column 2: syntax error while parsing value - WORDS; last read: 'x'" comes to WORDS.
  static std::string plain_words(std::string_view what) {
    if (const size_t column = what.find(", column "); column != std::string_view::npos) {
      if (const size_t colon = what.find(": ", column); colon != std::string_view::npos) what.remove_prefix(colon + 2);
    }
    if (const size_t id = what.find("] "); what.starts_with('[') && id != std::string_view::npos) {
      what.remove_prefix(id + 2);
    }
    if (const size_t dash = what.find(" - "); what.starts_with("syntax error") && dash != std::string_view::npos) {
      what.remove_prefix(dash + 3);
    }
    if (const size_t read = what.find("; last read: "); read != std::string_view::npos) {
      const size_t expected = what.rfind("; expected ");
      const bool names_expected = expected != std::string_view::npos && expected > read;
      return log::printable(what.substr(0, read)) + (names_expected ? log::printable(what.substr(expected)) : "");
    }
    return log::printable(what);
  }

  const SourceText& source_;
  const size_t& consumed_;
  std::vector<JsonNode> open_;    // containers not yet closed, outermost first
  std::vector<JsonMember> keys_;  // keys whose value is not complete
};

}  // namespace

const JsonNode* JsonNode::find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(), [key](const auto& m) { return m.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

std::string_view kind_name(JsonNode::Kind kind) {
  switch (kind) {
    case JsonNode::Kind::null:
      return "null";
    case JsonNode::Kind::boolean:
      return "a boolean";
    case JsonNode::Kind::integer:
      return "a number";
    case JsonNode::Kind::real:
      return "a number";
    case JsonNode::Kind::string:
      return "a string";
    case JsonNode::Kind::array:
      return "a list";
    case JsonNode::Kind::object:
      return "an object";
  }
  return "nothing";
}

Result<JsonNode> parse_json(const SourceText& source) {
  const std::string& text = source.text;
  if (text.size() > kMaxPolicyBytes) {
    return fail("{}: {} bytes, over the limit of {} for a policy", source.name, text.size(), kMaxPolicyBytes);
  }
  if (text.empty()) return fail("{}: the file is empty; the least policy is {{\"version\": 1}}", source.name);
  if (const size_t nul = text.find('\0'); nul != std::string::npos) {
    return tl::unexpected(source.error_at(nul, "a NUL byte: this is not a text file"));
  }
  if (text.starts_with("\xef\xbb\xbf")) {
    return tl::unexpected(source.error_at(0, "a byte order mark; save the file as UTF-8 without one"));
  }
  if (const auto bad = find_invalid_utf8(text)) {
    return tl::unexpected(source.error_at(*bad, "invalid UTF-8; save the file as UTF-8"));
  }

  size_t consumed = 0;
  TreeBuilder builder(source, consumed);
  const CountingIterator begin(text.data(), &consumed);
  const CountingIterator end(text.data() + text.size(), &consumed);
  const bool complete = nlohmann::json::sax_parse(begin, end, &builder, nlohmann::json::input_format_t::json,
                                                  /*strict=*/true, /*ignore_comments=*/true);
  if (builder.error) return tl::unexpected(*builder.error);
  if (!complete) return tl::unexpected(source.error_at(consumed, "not JSON"));
  return std::move(builder.root);
}

}  // namespace gatehouse::policy
