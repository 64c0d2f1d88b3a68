// Reads JSON as it passes, in pieces cut anywhere, and keeps none of it: whoever listens says at the beginning of each
// value what it wants of it. Passive. Memory does not grow with the input but for nesting, which is limited.
//
// Structure, strings and literals are checked as RFC 8259 has them; a number is any run of the characters numbers have,
// and text need not be UTF-8: whether a message is well formed in all of that is for its receiver to judge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::proxy {

inline constexpr size_t kMaxJsonDepth = 256;
inline constexpr size_t kMaxJsonPathBytes = 256;  // what lies deeper is passed over
inline constexpr size_t kMaxJsonNumberBytes = 64;

enum class JsonKind { object, array, string, number, literal };  // literal: true, false, null

class JsonListener {
 public:
  enum class Wish {
    skip,   // nothing of it
    look,   // its members, one by one; of what is no container nothing
    whole,  // a string unescaped, a number or literal as it stands, a container's JSON text
  };
  struct Interest {
    Wish wish = Wish::skip;
    int field = 0;  // handed back with what follows
  };
  virtual ~JsonListener() = default;
  // A value begins: "usage.input_tokens", "choices[].delta"; "" is the whole document. Names are unescaped.
  virtual Interest begin(std::string_view path, JsonKind kind) = 0;
  // More of a whole value; valid during the call only.
  virtual void bytes(int field, std::string_view piece) = 0;
  // A value of which anything was wanted is over.
  virtual void end(int field) = 0;
};

class JsonReader {
 public:
  explicit JsonReader(JsonListener& listener) : listener_(listener) {}

  // False once the input is no JSON, or nests too deeply; nothing is read any more.
  bool feed(std::string_view bytes);
  // The input is over: whether it was one whole document.
  bool finish();
  bool failed() const { return state_ == State::failed; }
  bool empty() const { return state_ == State::value && nesting_.empty(); }  // nothing but white space has come
  // As new.
  void reset();

 private:
  enum class State {
    value,
    value_or_end,
    name,
    name_or_end,
    colon,
    next,
    text,
    escape,
    hex,
    number,
    literal,
    done,
    failed
  };
  struct Looked {
    size_t path_size = 0;  // of the container's own path
    int field = 0;
  };

  size_t step(std::string_view bytes, size_t at);
  void begin(char first);
  void open(char bracket);
  bool close(char bracket);
  void end_scalar();
  void after_value();
  size_t read_text(std::string_view bytes, size_t at);
  void escaped(char c);
  void hex_digit(char c);
  void take(std::string_view piece);
  void take_code_point(uint32_t c);
  void end_text();
  bool muted() const { return muted_ != 0; }
  void fail() { state_ = State::failed; }

  JsonListener& listener_;
  State state_ = State::value;
  std::string nesting_;  // the open brackets
  std::string path_;
  std::vector<Looked> looked_;       // the containers whose members are told
  JsonListener::Interest interest_;  // in the scalar under way, or in the container that is muted
  size_t muted_ = 0;                 // depth of the container whose members are not told; 0: none is
  bool in_name_ = false;
  std::string name_;
  std::string scalar_;  // number or literal, as far as it has come
  uint32_t code_unit_ = 0;
  int hex_digits_ = 0;
  uint32_t high_surrogate_ = 0;  // awaiting its other half
};

}  // namespace gatehouse::proxy
