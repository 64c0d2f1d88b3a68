#include "proxy/ptr_message.h"

#include <gmock/gmock.h>

namespace gatehouse::proxy {
namespace {

using std::string_literals::operator""s;

const std::string kQuestion =
    "\x01"
    "7"
    "\x01"
    "0"
    "\x02"
    "18"
    "\x03"
    "198"
    "\x07"
    "in-addr"
    "\x04"
    "arpa\0"s
    "\0\x0c\0\x01"s;

std::string response(uint16_t answers, const std::string& rest, char rcode = 0) {
  return "\x12\x34\x84"s + rcode + "\0\x01\0"s + static_cast<char>(answers) + "\0\0\0\0"s + kQuestion + rest;
}
std::string record(const std::string& data, char type = 12) {
  return "\xc0\x0c\0"s + type + "\0\x01\0\0\0\x3c\0"s + static_cast<char>(data.size()) + data;
}
const std::string kName =
    "\x03"
    "Api"
    "\x07"
    "example"
    "\x03"
    "com\0"s;

TEST(PtrMessage, AsksForTheReversedAddress) {
  EXPECT_EQ(encode_ptr_query(0x1234, *IpAddress::parse("198.18.0.7")), "\x12\x34\0\0\0\x01\0\0\0\0\0\0"s + kQuestion);
}

TEST(PtrMessage, ReadsTheNameInLowerCase) {
  const auto answer = decode_ptr_answer(response(1, record(kName)));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->id, 0x1234);
  EXPECT_EQ(answer->name, "api.example.com");
}

TEST(PtrMessage, ReadsACompressedName) {
  const auto answer = decode_ptr_answer(response(1, record("\x01x\xc0\x17"s)));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->name, "x.in-addr.arpa");
}

TEST(PtrMessage, TellsAnAddressWithoutANameFromAFailure) {
  EXPECT_EQ(decode_ptr_answer(response(0, "", 3))->name, std::nullopt);
  EXPECT_EQ(decode_ptr_answer(response(0, ""))->name, std::nullopt);
  EXPECT_EQ(decode_ptr_answer(response(0, "", 2)).error().message(), "rcode 2");
}

TEST(PtrMessage, RefusesWhatIsMalformed) {
  const std::string table[] = {
      "",
      "\x12",
      response(1, ""),
      response(1, record(kName).substr(0, 20)),
      response(1, record(kName + "x")),
      response(1, record("\xc0\x30"s)),  // a pointer to itself
      response(1, record("\x03"
                         "a b\0"s)),
      response(1, record("\0"s)),
      response(1, record("abcd", 1)),
      "\x12\x34\0\0\0\x01\0\0\0\0\0\0"s + kQuestion,  // a query
  };
  for (const auto& message : table) EXPECT_FALSE(decode_ptr_answer(message)) << testing::PrintToString(message);
}

}  // namespace
}  // namespace gatehouse::proxy
