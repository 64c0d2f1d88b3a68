#include "common/json/canonical.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace gatehouse::json {

namespace {

void write_text(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// Number::toString of ECMAScript (ECMA-262 section 6.1.6.1.20): the fewest digits that come back to the same double,
// plain from 1e-6 to below 1e21.
void write_number(double number, std::string& out) {
  if (number == 0) {
    out += '0';  // -0, too
    return;
  }
  if (number < 0) out += '-';
  std::array<char, 32> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(number), std::chars_format::scientific).ptr;
  const std::string_view text(buffer.data(), static_cast<size_t>(end - buffer.data()));
  const size_t mark = text.find('e');
  std::string digits(1, text[0]);
  if (mark > 2) digits += text.substr(2, mark - 2);
  int exponent = 0;
  const size_t sign = mark + 1;  // from_chars takes no '+'
  std::from_chars(text.data() + sign + (text[sign] == '+' ? 1 : 0), text.data() + text.size(), exponent);
  const int point = exponent + 1;  // that many digits stand before it
  const int count = static_cast<int>(digits.size());
  if (point > 21 || point <= -6) {
    out += digits[0];
    if (count > 1) out.append(".").append(digits, 1);
    out += fmt::format("e{:+}", exponent);
  } else if (point <= 0) {
    out.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else if (count <= point) {
    out.append(digits).append(static_cast<size_t>(point - count), '0');
  } else {
    out.append(digits, 0, static_cast<size_t>(point)).append(".").append(digits, static_cast<size_t>(point));
  }
}

// In UTF-16 what is beyond the Basic Multilingual Plane begins with a surrogate, before U+E000; in UTF-8 it comes last.
bool before_in_utf16(std::string_view a, std::string_view b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_a == a.end() || at_b == b.end()) return at_a == a.end() && at_b != b.end();
  const auto weight = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0xf0 ? byte - 2 : byte >= 0xee ? byte + 0x10 : byte;
  };
  return weight(*at_a) < weight(*at_b);
}

void write(const Value& value, std::string& out) {
  switch (value.type()) {
    case Value::value_t::string:
      return write_text(value.get_ref<const std::string&>(), out);
    case Value::value_t::number_integer:
    case Value::value_t::number_unsigned:
    case Value::value_t::number_float:
      return write_number(value.get<double>(), out);
    case Value::value_t::array: {
      out += '[';
      for (const auto& item : value) {
        if (&item != &value.front()) out += ',';
        write(item, out);
      }
      out += ']';
      return;
    }
    case Value::value_t::object: {
      const auto& object = value.get_ref<const Value::object_t&>();
      std::vector<const Value::object_t::value_type*> members;
      members.reserve(object.size());
      for (const auto& member : object) members.push_back(&member);
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return before_in_utf16(a->first, b->first); });
      out += '{';
      for (const auto* member : members) {
        if (member != members.front()) out += ',';
        write_text(member->first, out);
        out += ':';
        write(member->second, out);
      }
      out += '}';
      return;
    }
    case Value::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    default:
      out += "null";
  }
}

}  // namespace

std::string write_canonical(const Value& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace gatehouse::json
