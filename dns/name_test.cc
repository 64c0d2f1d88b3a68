#include "dns/name.h"

#include <gtest/gtest.h>

#include <random>

namespace gatehouse::dns {
namespace {

using namespace std::string_literals;

const std::string kHeader(12, '\0');

std::string read_error(const std::string& behind_header, size_t offset = 12) {
  Name name;
  const auto after = read_name(kHeader + behind_header, offset, name);
  return after ? "" : after.error().message();
}

TEST(DnsName, IsReadInLowerCase) {
  Name name;
  EXPECT_EQ(read_name(kHeader + "\3WwW\7ExAmPlE\3com\0rest"s, 12, name).value(), 12 + 17U);
  EXPECT_EQ(name.wire(), "\3www\7example\3com\0"s);
  EXPECT_EQ(name.text(), "www.example.com");
}

TEST(DnsName, FollowsPointersBackwards) {
  Name name;
  const auto message = kHeader + "\3com\0\7example\xc0\x0c\3www\xc0\x11"s;
  EXPECT_EQ(read_name(message, 27, name).value(), message.size());
  EXPECT_EQ(name.text(), "www.example.com");
}

TEST(DnsName, RefusesWhatWouldNotEndOrLeadsAstray) {
  const auto pointer = "compression pointer that leads forwards or into the header"s;
  EXPECT_EQ(read_error("\xc0\x0c"s), pointer);              // itself
  EXPECT_EQ(read_error("\3abc\xc0\x0c"s), pointer);         // a loop through a label
  EXPECT_EQ(read_error("\xc0\x0e\xc0\x0c"s, 14), pointer);  // two that point at each other
  EXPECT_EQ(read_error("\xc0\x0e\3www\0"s), pointer);       // forwards
  EXPECT_EQ(read_error("\xc0\x02"s), pointer);              // into the header
  EXPECT_EQ(read_error("\xff\xff"s), pointer);              // past the end
}

TEST(DnsName, RefusesWhatIsCutShortOrTooLong) {
  EXPECT_EQ(read_error(""), "name cut short");
  EXPECT_EQ(read_error("\3ab"s), "name cut short");
  EXPECT_EQ(read_error("\3abc"s), "name cut short");
  EXPECT_EQ(read_error("\xc0"s), "name cut short");
  EXPECT_EQ(read_error("\x40"s + std::string(64, 'a') + "\0"s), "unknown label type");  // a label of 64
  EXPECT_EQ(read_error("\x80"s + std::string(64, 'a') + "\0"s), "unknown label type");
  const auto label = "\x3f"s + std::string(63, 'a');
  EXPECT_EQ(read_error(label + label + label + "\x3d"s + std::string(61, 'a') + "\0"s), "");  // 255 bytes
  EXPECT_EQ(read_error(label + label + label + "\x3e"s + std::string(62, 'a') + "\0"s), "name longer than 255 bytes");
  std::string deep;
  for (int i = 0; i < 128; ++i) deep += "\1a";
  EXPECT_EQ(read_error(deep + "\0"s), "name longer than 255 bytes");
}

TEST(DnsName, CannotHideADotOrAZeroInALabel) {
  Name name;
  ASSERT_TRUE(read_name(kHeader + "\x0b"s + "api.example\3com\0"s, 12, name));
  EXPECT_EQ(name.text(), "api\\x2eexample.com");
  EXPECT_FALSE(name.is_plain());
  ASSERT_TRUE(read_name(kHeader + "\4ab\0c\1\\\1\xff\0"s, 12, name));
  EXPECT_EQ(name.text(), "ab\\x00c.\\x5c.\\xff");
  EXPECT_FALSE(name.is_plain());
}

TEST(DnsName, OfTheRootIsADot) {
  Name name;
  ASSERT_TRUE(read_name(kHeader + "\0"s, 12, name));
  EXPECT_EQ(name, Name());
  EXPECT_EQ(name.text(), ".");
  EXPECT_FALSE(name.is_plain());
}

TEST(DnsName, IsMadeFromPlainTextOnly) {
  EXPECT_EQ(Name::from_text("API.example.com")->wire(), "\3api\7example\3com\0"s);
  EXPECT_EQ(Name::from_text("_dmarc.example.com.")->text(), "_dmarc.example.com");
  for (const auto* bad : {"", ".", "a..b", ".a", "a b", "a\\.b", "*.a", "caf\xc3\xa9"}) {
    EXPECT_FALSE(Name::from_text(bad)) << bad;
  }
  EXPECT_FALSE(Name::from_text(std::string(64, 'a')));
  std::string long_name(63, 'a');
  for (int i = 0; i < 3; ++i) long_name += "." + std::string(63, 'a');
  EXPECT_FALSE(Name::from_text(long_name));
}

TEST(DnsName, LeadsBackToAnAddress) {
  EXPECT_EQ(Name::from_text("7.0.18.198.in-addr.arpa")->reverse_v4(), IpAddress::parse("198.18.0.7").value());
  for (const auto* other :
       {"0.18.198.in-addr.arpa", "1.7.0.18.198.in-addr.arpa", "07.0.18.198.in-addr.arpa", "256.0.18.198.in-addr.arpa",
        "a.0.18.198.in-addr.arpa", "7.0.18.198.in-addr.arpa.com", "7.0.18.198.ip6.arpa", "in-addr.arpa"}) {
    EXPECT_EQ(Name::from_text(other)->reverse_v4(), std::nullopt) << other;
  }
  EXPECT_TRUE(Name::from_text("secret.data.in-addr.arpa")->in_reverse_tree());
  EXPECT_TRUE(Name::from_text("1.0.ip6.arpa")->in_reverse_tree());
  EXPECT_FALSE(Name::from_text("in-addr.arpa.example.com")->in_reverse_tree());
  EXPECT_FALSE(Name::from_text("xin-addr.arpa")->in_reverse_tree());
}

TEST(DnsName, ComesBackFromItsOwnText) {
  std::mt19937 random(1);
  const std::string characters = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int i = 0; i < 1000; ++i) {
    std::string text;
    const int labels = 1 + static_cast<int>(random() % 5);
    for (int l = 0; l < labels; ++l) {
      if (l > 0) text += '.';
      const int length = 1 + static_cast<int>(random() % 40);
      for (int c = 0; c < length; ++c) text += characters[random() % characters.size()];
    }
    const auto name = Name::from_text(text);
    ASSERT_TRUE(name);
    EXPECT_EQ(name->text(), text);
    Name read;
    EXPECT_EQ(read_name(kHeader + std::string(name->wire()), 12, read).value(), 12 + name->wire().size());
    EXPECT_EQ(read, *name);
    EXPECT_TRUE(read.is_plain());
  }
}

}  // namespace
}  // namespace gatehouse::dns
