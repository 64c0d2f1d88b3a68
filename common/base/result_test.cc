#include "common/base/result.h"

#include <gmock/gmock.h>

namespace gatehouse {
namespace {

TEST(Result, GainsContextOnItsWayUp) {
  const Result<int> low = fail("bad port {}", 70000);
  const Result<std::string> high = failed(low, "rules[3]");
  EXPECT_EQ(high.error().message(), "rules[3]: bad port 70000");
  EXPECT_EQ(high.error().in("p.json").message(), "p.json: rules[3]: bad port 70000");
}

TEST(Result, KeepsErrnoAsItStoodWhenTheArgumentsAreFormatted) {
  errno = ENOENT;
  const Result<> result = fail_errno("open {}", "/x");
  EXPECT_EQ(result.error().message(), "open /x: No such file or directory");
}

}  // namespace
}  // namespace gatehouse
