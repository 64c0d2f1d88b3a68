#include "mcp-gateway/catalogue.h"

#include <gtest/gtest.h>

#include <regex>

namespace gatehouse::mcp {
namespace {

TEST(ShownUris, AreUrisWhateverAServerIsCalledAndComeApartAgain) {
  const std::regex scheme("[A-Za-z][A-Za-z0-9+.-]*:.*");  // RFC 3986 section 3.1
  const std::string servers[] = {"a", "a_b", "a-b", "1a", "-a", "s-1a", "S"};
  for (const auto& server : servers) {
    const auto shown = shown_as(ListKind::resources, server, "file:///x", false);
    EXPECT_TRUE(std::regex_match(shown, scheme)) << shown;
    for (const auto& other : servers) {
      const auto uri = uri_of(other, shown, false);
      EXPECT_EQ(uri.has_value(), other == server) << shown << " by " << other;
      EXPECT_EQ(uri.value_or("file:///x"), "file:///x");
    }
  }
  EXPECT_EQ(shown_as(ListKind::resources, "1a", "file:///x", true), "file:///x");
}

}  // namespace
}  // namespace gatehouse::mcp
