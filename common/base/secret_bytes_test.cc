#include "common/base/secret_bytes.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(SecretBytes, KeepsItsBytesWhenMoved) {
  auto secret = SecretBytes::copy_of("key");
  ASSERT_TRUE(secret);
  const SecretBytes moved = std::move(*secret);
  EXPECT_EQ(moved.view(), "key");
  EXPECT_TRUE(secret->empty());
}

}  // namespace
}  // namespace gatehouse
