#include "dns/message.h"

#include <gtest/gtest.h>

#include "dns/query_builder.h"

namespace gatehouse::dns {
namespace {

using namespace std::string_literals;

TEST(DnsMessage, ReadsAQuestionAsItWasSent) {
  const std::string bytes = QueryBuilder().ask("wWw.Example.COM", 28).opt(4096, "", 0, true);
  Query query;
  ASSERT_TRUE(read_query(bytes, query));
  EXPECT_TRUE(query.answerable);
  EXPECT_EQ(query.header.id, 0x1234);
  EXPECT_EQ(query.name.text(), "www.example.com");
  EXPECT_EQ(query.type, 28);
  EXPECT_EQ(query.klass, kClassIn);
  EXPECT_EQ(query.question, "\3wWw\7Example\3COM\0\0\x1c\0\1"s);
  ASSERT_TRUE(query.edns);
  EXPECT_EQ(query.edns->udp_bytes, 4096);
  EXPECT_TRUE(query.edns->dnssec_ok);
}

struct FaultCase {
  std::string message;
  std::string error;
  bool answerable = true;
};

TEST(DnsMessage, RefusesWhatIsMalformedAndSaysWhy) {
  const auto good = QueryBuilder().ask("a.example");
  const std::string label = "\x3f" + std::string(63, 'a');
  const FaultCase cases[] = {
      {"", "message of 0 bytes has no header", false},
      {good.bytes().substr(0, 11), "message of 11 bytes has no header", false},
      {QueryBuilder().flags(0x8180).ask("a.example"), "a response, not a query", false},
      {QueryBuilder(), "0 questions"},
      {QueryBuilder().ask("a.example").ask("b.example"), "2 questions"},
      {QueryBuilder().questions(65535), "65535 questions"},
      {QueryBuilder().questions(1), "name cut short"},
      {QueryBuilder().questions(1).raw("\3abc"s), "name cut short"},
      {QueryBuilder().questions(1).raw("\3abc\0\0\1\0"s), "question cut short"},
      {QueryBuilder().ask_raw("\xc0\x0c"s), "compression pointer that leads forwards or into the header"},
      {QueryBuilder().ask_raw("\1a\xc0\x0c"s), "compression pointer that leads forwards or into the header"},
      {QueryBuilder().ask_raw("\xc0\x20"s), "compression pointer that leads forwards or into the header"},
      {QueryBuilder().ask_raw("\x40"s + std::string(64, 'a') + "\0"s), "unknown label type"},
      {QueryBuilder().ask_raw("\x80\1a\0"s), "unknown label type"},
      {QueryBuilder().ask_raw(label + label + label + label + "\0"s), "name longer than 255 bytes"},
      {QueryBuilder().ask("a.example").raw("x"), "1 bytes after the last record"},
      {QueryBuilder().ask("a.example").additionals(1), "name cut short"},
      {QueryBuilder().ask("a.example").additionals(1).raw("\0\0\x29"s), "record cut short"},
      {QueryBuilder().ask("a.example").additionals(1).raw("\0\0\x29\4\xd0\0\0\0\0\0\5abcd"s), "record cut short"},
      {QueryBuilder().ask("a.example").opt().opt(), "two OPT records"},
      {QueryBuilder().ask("a.example").opt(1232, "", 0, false, "\1a\0"s), "OPT record with an owner name"},
      {QueryBuilder().ask("a.example").opt(1232, "\0\12\0"s), "EDNS option cut short"},
      {QueryBuilder().ask("a.example").opt(1232, "\0\12\0\10abcd"s), "EDNS option cut short"},
      {QueryBuilder().ask("a.example").answers(1).raw("\xc0\x0c\0\1\0\1\0\0\0\0\0\0"s),
       "a query with records in its answer or authority section"},
      {QueryBuilder().ask("a.example").authorities(1), "a query with records in its answer or authority section"},
  };
  for (const auto& [message, error, answerable] : cases) {
    Query query;
    const auto read = read_query(message, query);
    ASSERT_FALSE(read) << error;
    EXPECT_EQ(read.error().message(), error);
    EXPECT_EQ(query.answerable, answerable) << error;
  }
}

TEST(DnsMessage, TakesWhatItNeedNotKnow) {
  for (const auto& message : {
           QueryBuilder().ask("a.example").opt(1232, "\0\12\0\10abcdefgh\xfd\xe9\0\0"s).bytes(),  // cookie, private use
           QueryBuilder().ask("a.example").additionals(1).raw("\1k\0\0\xfa\0\xff\0\0\0\0\0\0"s).bytes(),  // TSIG
           QueryBuilder().flags(0x0130).ask("a.example").bytes(),                                         // AD, CD
           QueryBuilder().flags(0x0140).ask("a.example").bytes(),                                         // Z
       }) {
    Query query;
    EXPECT_TRUE(read_query(message, query));
  }
}

TEST(DnsMessage, ReadsOnlyTheHeaderOfAnotherOpcode) {
  const std::string notify = QueryBuilder().flags(4 << 11).raw("whatever this means");
  Query query;
  EXPECT_TRUE(read_query(notify, query));
  EXPECT_TRUE(query.answerable);
  EXPECT_FALSE(query.is_standard());
  EXPECT_TRUE(query.question.empty());
}

TEST(DnsMessage, ReadsRecordsOfEverySection) {
  const std::string bytes = QueryBuilder()
                                .flags(0x8180)
                                .ask("a.example")
                                .answers(1)
                                .authorities(1)
                                .raw("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\1\0\0\6\0\1\0\0\0\5\0\0"s);
  const auto message = read_message(bytes);
  ASSERT_TRUE(message) << message.error().message();
  ASSERT_EQ(message->answers.size(), 1U);
  EXPECT_EQ(message->answers[0].owner.text(), "a.example");
  EXPECT_EQ(message->answers[0].ttl, 60U);
  EXPECT_EQ(message->answers[0].data, "\xc6\x12\0\1"s);
  EXPECT_EQ(message->authorities[0].type, kTypeSoa);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_message(bytes.substr(0, size))) << size;
}

TEST(DnsMessage, NamesTypes) {
  EXPECT_EQ(type_text(1), "A");
  EXPECT_EQ(type_text(65), "HTTPS");
  EXPECT_EQ(type_text(257), "CAA");
  EXPECT_EQ(type_text(0), "TYPE0");
  EXPECT_EQ(type_text(65280), "TYPE65280");
}

}  // namespace
}  // namespace gatehouse::dns
