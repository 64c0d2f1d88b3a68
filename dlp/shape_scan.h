// What announces numbers that no literal announces, found at the speed of memory: card numbers, account numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gatehouse::dlp {

enum class Shape : uint8_t {
  digit_groups,    // four digits; a space, a hyphen or nothing; four digits: "4111 1111", "41111111"
  letters_digits,  // two capitals, two digits; as above; four capitals or digits: "DE56 1111", "MT38MALT"
};
inline constexpr size_t kShapes = 2;

// The shape that a rule's file calls `name`, "digit-groups" or "letters-digits".
std::optional<Shape> find_shape(std::string_view name);

inline constexpr size_t kMinShapeBytes = 8;
inline constexpr size_t kMaxShapeBytes = 9;

// A shape begins at each of [first, last].
using OnShape = void (*)(void* context, Shape shape, size_t first, size_t last);

// Reports every place in [from, to) of `text` where a shape begins, in order for each kind of shape. The text holds
// kMaxShapeBytes from the last place on, or ends with the input.
void find_shapes(std::string_view text, size_t from, size_t to, OnShape on_shape, void* context);

}  // namespace gatehouse::dlp
