#include "dlp/shape_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <string>
#include <vector>

#include "dlp/decode/simd.h"

namespace gatehouse::dlp {
namespace {

using Places = std::vector<size_t>;

// All places of [from, to) at which `shape` is reported.
Places places(Shape shape, std::string_view text, size_t from, size_t to) {
  struct Context {
    Shape shape;
    Places places;
  } context{shape, {}};
  const auto note = [](void* at, Shape found, size_t first, size_t last) {
    auto& into = *static_cast<Context*>(at);
    for (size_t place = first; found == into.shape && place <= last; ++place) into.places.push_back(place);
  };
  find_shapes(text, from, to, note, &context);
  return context.places;
}
Places places(Shape shape, std::string_view text) { return places(shape, text, 0, text.size()); }

TEST(ShapeScan, KnowsTheShapes) {
  EXPECT_EQ(places(Shape::digit_groups, "41111111"), (Places{0}));
  EXPECT_EQ(places(Shape::digit_groups, "x4111 1111x"), (Places{1}));
  EXPECT_EQ(places(Shape::digit_groups, "4111-1111 1111"), (Places{0, 5}));
  EXPECT_EQ(places(Shape::digit_groups, "4111111111"), (Places{0, 1, 2}));
  for (const auto* text :
       {"", "4", "4111111", "4111  1111", "4111_1111", "411 11111", "2026-11-22", "4111 111", "4111/111:"}) {
    EXPECT_EQ(places(Shape::digit_groups, text), Places{}) << text;
  }
  EXPECT_EQ(places(Shape::letters_digits, "DE56 1111"), (Places{0}));
  EXPECT_EQ(places(Shape::letters_digits, "MT38MALT"), (Places{0}));
  EXPECT_EQ(places(Shape::letters_digits, "(GB29-NWBK 6016"), (Places{1}));
  for (const auto* text : {"SHA256", "SHA256 sum", "DE561 111", "De56 1111", "DE5 61111", "DE56  1111", "DE56 MALt"}) {
    EXPECT_EQ(places(Shape::letters_digits, text), Places{}) << text;
  }
}

TEST(ShapeScan, FindsThemAtEveryPlace) {
  for (size_t before = 0; before < 200; ++before) {
    for (const size_t after : {0u, 1u, 8u, 130u}) {
      const std::string filler(before, '.');
      const std::string end(after, '.');
      EXPECT_EQ(places(Shape::digit_groups, filler + "4111 1111" + end), (Places{before})) << after;
      EXPECT_EQ(places(Shape::digit_groups, filler + "41111111" + end), (Places{before})) << after;
      EXPECT_EQ(places(Shape::letters_digits, filler + "DE56-1111" + end), (Places{before})) << after;
    }
  }
}

// Against the two expressions, tried at every place, on text that is full of them; and in parts.
TEST(ShapeScan, AgreesWithTheExpressions) {
  const std::regex groups("[0-9]{4}[ -]?[0-9]{4}");
  const std::regex mixed("[A-Z]{2}[0-9]{2}[ -]?[0-9A-Z]{4}");
  std::mt19937 random(5);
  const std::string bytes = "00112AB -Z";
  for (int round = 0; round < 30; ++round) {
    std::string text;
    for (size_t size = random() % 400; text.size() < size;) text += bytes[random() % bytes.size()];
    Places expected_groups;
    Places expected_mixed;
    for (size_t at = 0; at < text.size(); ++at) {
      const auto flags = std::regex_constants::match_continuous;
      const auto from = text.cbegin() + static_cast<std::ptrdiff_t>(at);
      if (std::regex_search(from, text.cend(), groups, flags)) expected_groups.push_back(at);
      if (std::regex_search(from, text.cend(), mixed, flags)) expected_mixed.push_back(at);
    }
    for (const Vectors vectors : kAllVectors) {
      use_vectors = vectors;
      EXPECT_EQ(places(Shape::digit_groups, text), expected_groups) << text;
      EXPECT_EQ(places(Shape::letters_digits, text), expected_mixed) << text;
    }
    use_vectors = Vectors::avx512;
    const size_t cut = text.empty() ? 0 : random() % text.size();
    Places in_parts = places(Shape::digit_groups, text, 0, cut);
    for (const size_t place : places(Shape::digit_groups, text, cut, text.size())) in_parts.push_back(place);
    EXPECT_EQ(in_parts, expected_groups) << text << " cut at " << cut;
  }
}

// In blocks without any other digits, which are skipped.
TEST(ShapeScan, FindsOneWhereverItStands) {
  for (const Vectors vectors : kAllVectors) {
    use_vectors = vectors;
    for (size_t at = 0; at < 200; ++at) {
      std::string text(400, 'x');
      text.replace(at, 9, "4111 1111");
      EXPECT_EQ(places(Shape::digit_groups, text), Places{at});
      text.replace(at, 9, "DE56-MALT");
      EXPECT_EQ(places(Shape::letters_digits, text), Places{at});
    }
  }
  use_vectors = Vectors::avx512;
}

TEST(ShapeScan, HasNames) {
  EXPECT_EQ(find_shape("digit-groups"), Shape::digit_groups);
  EXPECT_EQ(find_shape("letters-digits"), Shape::letters_digits);
  EXPECT_FALSE(find_shape(""));
}

}  // namespace
}  // namespace gatehouse::dlp
