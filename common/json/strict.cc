#include "common/json/strict.h"

#include <algorithm>
#include <vector>

namespace gatehouse::json {

namespace {

// Builds the value out of the parser's events and stops it at the first thing that readers take differently.
class Builder : public nlohmann::json_sax<Value> {
 public:
  explicit Builder(const Limits& limits) : limits_(limits) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    // The parser falls back to floating point for integers that fit no 64 bits.
    if (text.find_first_of(".eE") == string_t::npos) return refuse("an integer beyond 64 bits");
    return add(value);
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return refuse("not JSON"); }  // never comes from text

  bool start_object(size_t) override { return open(Value::object()); }
  bool start_array(size_t) override { return open(Value::array()); }
  bool key(string_t& value) override {
    auto [place, inserted] = open_.back()->get_ref<Value::object_t&>().emplace(std::move(value), nullptr);
    if (!inserted) return refuse("a key that stands twice in one object");
    place_ = &place->second;
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& cause) override {
    if (cause.id == 406) return refuse("a number that is too large");
    return refuse(fmt::format("not JSON at byte {}", position));
  }

  Value root;
  std::string why;

 private:
  bool refuse(std::string words) {
    why = std::move(words);
    return false;
  }

  // Where the next value belongs: the root, the value of the key just read, or one more of a list.
  Value* put(Value&& value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (open_.back()->is_object()) {
      *place_ = std::move(value);
      return place_;
    }
    auto& list = open_.back()->get_ref<Value::array_t&>();
    list.push_back(std::move(value));
    return &list.back();
  }

  bool add(Value value) {
    if (++values_ > limits_.values) return refuse(fmt::format("more than {} values", limits_.values));
    put(std::move(value));
    return true;
  }

  bool open(Value container) {
    if (++values_ > limits_.values) return refuse(fmt::format("more than {} values", limits_.values));
    if (open_.size() >= static_cast<size_t>(limits_.depth)) {
      return refuse(fmt::format("nested deeper than {} levels", limits_.depth));
    }
    // A list grows only while it is the innermost open one, so that what this points to stays where it is.
    open_.push_back(put(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const Limits& limits_;
  std::vector<Value*> open_;  // containers not yet closed, outermost first
  Value* place_ = nullptr;
  size_t values_ = 0;
};

}  // namespace

Result<Value> read(std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes) return fail("{} bytes, over the limit of {}", text.size(), limits.bytes);
  if (text.find('\0') != std::string_view::npos) return fail("a NUL byte");  // where the parser would end
  if (text.starts_with("\xef\xbb\xbf")) return fail("a byte order mark");
  Builder builder(limits);
  const bool complete = Value::sax_parse(text.begin(), text.end(), &builder, Value::input_format_t::json,
                                         /*strict=*/true, /*ignore_comments=*/false);
  if (!complete) return fail("{}", builder.why.empty() ? "not JSON" : builder.why);
  return std::move(builder.root);
}

std::string write(const Value& value) {
  return value.dump(/*indent=*/-1, /*indent_char=*/' ', /*ensure_ascii=*/true, Value::error_handler_t::replace);
}

}  // namespace gatehouse::json
