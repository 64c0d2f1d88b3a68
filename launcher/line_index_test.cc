#include "launcher/line_index.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::launcher {
namespace {

TEST(LineIndex, CountsLinesAndColumnsHoweverTheStreamIsCut) {
  const std::string text = "one\n\ntwo three\r\nfour";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    LineIndex index;
    index.add(std::string_view(text).substr(0, cut));
    index.add(std::string_view(text).substr(cut));
    uint64_t line = 1, column = 1;
    for (size_t i = 0; i <= text.size(); ++i) {
      EXPECT_EQ(index.at(i).line, line) << i;
      EXPECT_EQ(index.at(i).column, column) << i;
      if (i < text.size() && text[i] == '\n') {
        ++line;
        column = 0;
      }
      ++column;
    }
  }
}

}  // namespace
}  // namespace gatehouse::launcher
