#include "dns/keyed_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::dns {
namespace {

// Test vectors of the SipHash paper's reference: key 00..0f, input 00, 01, 02...
TEST(KeyedHash, GivesTheValuesOfTheReference) {
  const KeyedHash hash({0x0706050403020100, 0x0f0e0d0c0b0a0908});
  std::string input;
  for (char c = 0; c < 15; ++c) input += c;
  EXPECT_EQ(hash(input), 0xa129ca6149be45e5);
  EXPECT_EQ(hash(""), 0x726fdb47dd0e0e31);
  EXPECT_EQ(hash(std::string_view(input).substr(0, 8)), 0x93f5f5799a932462);
}

TEST(KeyedHash, DependsOnARandomKey) { EXPECT_NE(KeyedHash()("api.example.com"), KeyedHash()("api.example.com")); }

}  // namespace
}  // namespace gatehouse::dns
