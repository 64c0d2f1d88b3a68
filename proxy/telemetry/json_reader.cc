#include "proxy/telemetry/json_reader.h"

namespace gatehouse::proxy {

namespace {

constexpr uint32_t kReplacement = 0xfffd;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_of_number(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'; }

JsonKind kind_of(char first) {
  switch (first) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
    case 'n':
      return JsonKind::literal;
    default:
      return JsonKind::number;
  }
}

}  // namespace

void JsonReader::reset() {
  state_ = State::value;
  nesting_.clear();
  path_.clear();
  looked_.clear();
  interest_ = {};
  muted_ = 0;
  in_name_ = false;
  scalar_.clear();
  high_surrogate_ = 0;
}

bool JsonReader::feed(std::string_view bytes) {
  if (failed()) return false;
  // What is wanted whole of a container is handed on as it stands, in one piece for each stretch of input.
  const auto captures = [&] { return muted() && interest_.wish == JsonListener::Wish::whole; };
  size_t captured = captures() ? 0 : std::string_view::npos;
  size_t at = 0;
  while (at < bytes.size() && state_ != State::failed) {
    const bool before = captures();
    const int field = interest_.field;
    const size_t from = at;
    at = step(bytes, at);
    if (!before && captures()) captured = from;
    if (before && !captures()) {
      listener_.bytes(field, bytes.substr(captured, at - captured));
      listener_.end(field);
      captured = std::string_view::npos;
      after_value();
    }
  }
  // Up to the character that is amiss, if there is one, however the input is cut.
  const size_t end = state_ == State::failed && at > 0 ? at - 1 : at;
  if (captures() && captured < end) listener_.bytes(interest_.field, bytes.substr(captured, end - captured));
  return state_ != State::failed;
}

bool JsonReader::finish() {
  if (state_ == State::number && nesting_.empty()) end_scalar();
  return state_ == State::done;
}

// Takes one character, or a run of them; where to go on.
size_t JsonReader::step(std::string_view bytes, size_t at) {
  const char c = bytes[at];
  switch (state_) {
    case State::text:
      return read_text(bytes, at);
    case State::escape:
      escaped(c);
      return at + 1;
    case State::hex:
      hex_digit(c);
      return at + 1;
    case State::number:
      if (!is_of_number(c)) {
        end_scalar();
        return at;
      }
      if (scalar_.size() == kMaxJsonNumberBytes) fail();
      scalar_ += c;
      return at + 1;
    case State::literal: {
      constexpr std::string_view kLiterals[] = {"true", "false", "null"};
      scalar_ += c;
      bool begins = false;
      for (const auto literal : kLiterals) {
        if (scalar_ == literal) {
          end_scalar();
          return at + 1;
        }
        begins = begins || literal.starts_with(scalar_);
      }
      if (!begins) fail();
      return at + 1;
    }
    case State::failed:
      return bytes.size();
    default:
      break;
  }
  if (is_space(c)) return at + 1;
  switch (state_) {
    case State::value_or_end:
      if (c == ']') {
        if (!close(c)) fail();
        return at + 1;
      }
      [[fallthrough]];
    case State::value:
      begin(c);
      return at + 1;
    case State::name_or_end:
      if (c == '}') {
        if (!close(c)) fail();
        return at + 1;
      }
      [[fallthrough]];
    case State::name:
      if (c != '"') fail();
      in_name_ = true;
      name_.clear();
      if (state_ != State::failed) state_ = State::text;
      return at + 1;
    case State::colon:
      if (c == ':') {
        state_ = State::value;
      } else {
        fail();
      }
      return at + 1;
    case State::next:
      if (c == ',') {
        state_ = nesting_.back() == '{' ? State::name : State::value;
      } else if (!close(c)) {
        fail();
      }
      return at + 1;
    default:  // done: nothing may follow
      fail();
      return at + 1;
  }
}

void JsonReader::begin(char first) {
  const auto kind = kind_of(first);
  if (kind == JsonKind::number && !is_of_number(first)) return fail();
  if (!muted()) {
    if (!looked_.empty() && nesting_.back() == '[') {
      path_.resize(looked_.back().path_size);
      path_ += "[]";
    }
    interest_ = {};
    if (path_.size() <= kMaxJsonPathBytes) interest_ = listener_.begin(path_, kind);
  }
  switch (kind) {
    case JsonKind::object:
    case JsonKind::array:
      return open(first);
    case JsonKind::string:
      in_name_ = false;
      state_ = State::text;
      return;
    case JsonKind::number:
    case JsonKind::literal:
      scalar_ = first;
      state_ = kind == JsonKind::number ? State::number : State::literal;
      return;
  }
}

void JsonReader::open(char bracket) {
  if (nesting_.size() == kMaxJsonDepth) return fail();
  nesting_ += bracket;
  state_ = bracket == '{' ? State::name_or_end : State::value_or_end;
  if (muted()) return;
  if (interest_.wish == JsonListener::Wish::look) {
    looked_.push_back({path_.size(), interest_.field});
  } else {
    muted_ = nesting_.size();
  }
}

bool JsonReader::close(char bracket) {
  if (nesting_.empty() || bracket != (nesting_.back() == '{' ? '}' : ']')) return false;
  const size_t depth = nesting_.size();
  nesting_.pop_back();
  if (muted_ == depth) {
    muted_ = 0;
    if (interest_.wish == JsonListener::Wish::whole) return true;  // feed() goes on from here
  } else if (!muted()) {
    const auto over = looked_.back();
    looked_.pop_back();
    path_.resize(over.path_size);
    if (over.field != 0) listener_.end(over.field);
  }
  after_value();
  return true;
}

void JsonReader::end_scalar() {
  if (!muted() && interest_.wish == JsonListener::Wish::whole) {
    listener_.bytes(interest_.field, scalar_);
    listener_.end(interest_.field);
  }
  after_value();
}

void JsonReader::after_value() { state_ = nesting_.empty() ? State::done : State::next; }

size_t JsonReader::read_text(std::string_view bytes, size_t at) {
  size_t end = at;
  while (end < bytes.size() && bytes[end] != '"' && bytes[end] != '\\' && static_cast<uint8_t>(bytes[end]) >= 0x20)
    ++end;
  if (end > at) take(bytes.substr(at, end - at));
  if (end == bytes.size()) return end;
  if (bytes[end] == '"') {
    end_text();
  } else if (bytes[end] == '\\') {
    state_ = State::escape;
  } else {
    fail();  // a control character
  }
  return end + 1;
}

void JsonReader::escaped(char c) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (c == 'u') {
    code_unit_ = 0;
    hex_digits_ = 0;
    state_ = State::hex;
    return;
  }
  const size_t found = kLetters.find(c);
  if (found == std::string_view::npos) return fail();
  take(kMeanings.substr(found, 1));
  state_ = State::text;
}

void JsonReader::hex_digit(char c) {
  const char lower = static_cast<char>(c | 0x20);
  uint32_t digit = 0;
  if (c >= '0' && c <= '9') {
    digit = static_cast<uint32_t>(c - '0');
  } else if (lower >= 'a' && lower <= 'f') {
    digit = static_cast<uint32_t>(lower - 'a' + 10);
  } else {
    return fail();
  }
  code_unit_ = code_unit_ << 4 | digit;
  if (++hex_digits_ < 4) return;
  state_ = State::text;
  const bool high = code_unit_ >= 0xd800 && code_unit_ < 0xdc00;
  const bool low = code_unit_ >= 0xdc00 && code_unit_ < 0xe000;
  if (low && high_surrogate_ != 0) {
    const uint32_t c32 = 0x10000 + ((high_surrogate_ - 0xd800) << 10) + (code_unit_ - 0xdc00);
    high_surrogate_ = 0;
    return take_code_point(c32);
  }
  if (high) {
    take({});  // one before it that has no other half
    high_surrogate_ = code_unit_;
    return;
  }
  take_code_point(low ? kReplacement : code_unit_);
}

void JsonReader::take_code_point(uint32_t c) {
  char utf8[4];
  size_t size = 0;
  const auto put = [&](uint32_t byte) { utf8[size++] = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
  take({utf8, size});
}

void JsonReader::take(std::string_view piece) {
  if (high_surrogate_ != 0) {
    high_surrogate_ = 0;
    take_code_point(kReplacement);
  }
  if (piece.empty() || muted()) return;
  if (in_name_) {
    if (name_.size() <= kMaxJsonPathBytes) name_ += piece.substr(0, kMaxJsonPathBytes + 1);
  } else if (interest_.wish == JsonListener::Wish::whole) {
    listener_.bytes(interest_.field, piece);
  }
}

void JsonReader::end_text() {
  take({});
  if (!in_name_) {
    if (!muted() && interest_.wish == JsonListener::Wish::whole) listener_.end(interest_.field);
    return after_value();
  }
  in_name_ = false;
  state_ = State::colon;
  if (muted()) return;
  path_.resize(looked_.back().path_size);
  if (!path_.empty()) path_ += '.';
  path_ += name_;
}

}  // namespace gatehouse::proxy
