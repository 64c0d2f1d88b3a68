#include "dlp/decode/form_spaces.h"

#include <gtest/gtest.h>

#include "dlp/decode/recorded_host.h"

namespace gatehouse::dlp {
namespace {

constexpr char kForm[] = "application/x-www-form-urlencoded";

std::string read(std::string_view type, const std::string& bytes, size_t piece, RecordedHost& host) {
  FormSpaces spaces(host);
  spaces.declare({0, {}, std::string(type), {}});
  for (size_t at = 0; at < bytes.size(); at += piece) spaces.write(std::string_view(bytes).substr(at, piece));
  spaces.end();
  EXPECT_TRUE(host.all_ended());
  EXPECT_TRUE(host.copies_are_of(bytes));
  return host.text("urlencoded");
}

TEST(FormSpaces, ReadAPlusOfAFormAsASpaceHoweverItIsCut) {
  for (const size_t piece : {1, 2, 5, 100}) {
    for (const auto& [type, bytes, text] : std::initializer_list<std::tuple<std::string, std::string, std::string>>{
             {kForm, "a=1&k=BEGIN+KEY+%2B&z", "a=1&k=BEGIN KEY %2B&z"},
             {"Application/X-WWW-Form-Urlencoded; charset=utf-8", "++", "  "},
             {kForm, "a=1&b=2", ""},
             {"text/plain", "a+b", ""},
             {"", "a+b", ""}}) {
      RecordedHost host;
      EXPECT_EQ(read(type, bytes, piece, host), text) << bytes;
    }
  }
}

TEST(FormSpaces, ReadSoMuchOfWhatIsBeforeTheFirst) {
  const std::string bytes = std::string(9000, 'a') + "b+c";
  for (const size_t piece : {size_t{7}, bytes.size()}) {
    RecordedHost host;
    EXPECT_EQ(read(kForm, bytes, piece, host), std::string(4095, 'a') + "b c");
    EXPECT_EQ(host.pieces("urlencoded").at(0).piece.origin, 9001u - 4096u);
  }
}

TEST(FormSpaces, HoldForOnePiece) {
  RecordedHost host;
  FormSpaces spaces(host);
  spaces.declare({0, {}, kForm, {}});
  spaces.write("a+b");
  spaces.boundary();
  spaces.write("c+d");
  spaces.boundary();
  spaces.declare({0, {}, kForm, {}});
  spaces.write("e+");
  spaces.end();
  EXPECT_EQ(host.text("urlencoded"), "a b|e ");
  EXPECT_EQ(host.pieces("urlencoded").at(1).piece.origin, 6u);
}

TEST(FormSpaces, StopWhenTheBudgetOrTheDepthIsSpent) {
  RecordedHost full(3);
  read(kForm, "ab+cd+ef", 100, full);
  EXPECT_EQ(full.written_after_no, 0u);
  EXPECT_LT(full.written, 8u);
  RecordedHost deep(SIZE_MAX, true);
  EXPECT_EQ(read(kForm, "ab+cd+ef", 1, deep), "");
  EXPECT_EQ(deep.outputs_asked, 1u);
}

}  // namespace
}  // namespace gatehouse::dlp
