#include "common/base/log.h"

#include <gmock/gmock.h>

namespace gatehouse::log {
namespace {

TEST(Printable, EscapesWhatATerminalOrALogLineWouldObey) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"GET /x ~", "GET /x ~"},
      {"a\nb\r\t", "a\\x0ab\\x0d\\x09"},
      {"\x1b[2J", "\\x1b[2J"},
      {"\\x41", "\\x5cx41"},
      {"\x7f\x80\xff", "\\x7f\\x80\\xff"},
      {std::string("\0", 1), "\\x00"},
  };
  for (const auto& [bytes, text] : cases) EXPECT_EQ(printable(bytes), text);
}

TEST(Printable, CutsAtItsLimitOfInputBytes) {
  EXPECT_EQ(printable("abcd", 4), "abcd");
  EXPECT_EQ(printable("abcde", 4), "abcd...");
  EXPECT_EQ(printable("\n\n\n", 2), "\\x0a\\x0a...");
}

}  // namespace
}  // namespace gatehouse::log
