#include "dns/reply.h"

#include <gtest/gtest.h>

#include "dns/query_builder.h"

namespace gatehouse::dns {
namespace {

using namespace std::string_literals;

// The longest question there can be, with or without EDNS.
Query longest_query(std::string& bytes, std::optional<uint16_t> udp_bytes) {
  const std::string label(63, 'q');
  QueryBuilder builder;
  builder.ask(label + "." + label + "." + label + "." + std::string(61, 'q'));
  if (udp_bytes) builder.opt(*udp_bytes);
  bytes = builder;
  Query query;
  EXPECT_TRUE(read_query(bytes, query));
  return query;
}

TEST(DnsReply, SetsTcAndDropsRecordsThatDoNotFit) {
  std::string bytes;
  const auto query = longest_query(bytes, std::nullopt);
  Reply reply;
  reply.rcode = Rcode::noerror;
  reply.content = Reply::Content::pointer;
  reply.target = query.name.wire();  // 255 bytes behind a question of 259
  ReplyBuffer buffer;
  const auto datagram = read_message(write_reply(query, reply, Transport::datagram, buffer)).value();
  EXPECT_NE(datagram.header.flags & kFlagTruncated, 0);
  EXPECT_TRUE(datagram.answers.empty());
  EXPECT_EQ(datagram.question, query.question);
  const auto stream = read_message(write_reply(query, reply, Transport::stream, buffer)).value();
  EXPECT_EQ(stream.header.flags & kFlagTruncated, 0);
  EXPECT_EQ(stream.answers.size(), 1U);
}

TEST(DnsReply, DropsTheTextOfAnErrorBeforeItTruncates) {
  std::string bytes;
  const auto query = longest_query(bytes, 512);
  Reply reply;
  reply.rcode = Rcode::nxdomain;
  reply.content = Reply::Content::negative;
  const std::string text(200, 't');
  reply.error = ExtendedError{ErrorCode::blocked, text};
  ReplyBuffer buffer;
  const auto message = read_message(write_reply(query, reply, Transport::datagram, buffer)).value();
  EXPECT_EQ(message.header.flags & kFlagTruncated, 0);
  EXPECT_EQ(message.authorities.size(), 1U);
  EXPECT_EQ(message.additionals.at(0).data, "\0\17\0\2\0\17"s);
}

TEST(DnsReply, CarriesAWellFormedSoa) {
  std::string bytes = QueryBuilder().ask("a.example");
  Query query;
  ASSERT_TRUE(read_query(bytes, query));
  Reply reply;
  reply.rcode = Rcode::nxdomain;
  reply.content = Reply::Content::negative;
  ReplyBuffer buffer;
  const auto whole = write_reply(query, reply, Transport::datagram, buffer);
  const auto message = read_message(whole).value();
  const auto& soa = message.authorities.at(0);
  EXPECT_TRUE(soa.owner.is_root());
  EXPECT_EQ(soa.ttl, 5U);
  Name primary, mailbox;
  auto offset = read_name(whole, static_cast<size_t>(soa.data.data() - whole.data()), primary);
  offset = read_name(whole, offset.value(), mailbox);
  EXPECT_EQ(primary.text(), "gatehouse.invalid");
  EXPECT_EQ(mailbox.text(), "hostmaster.gatehouse.invalid");
  EXPECT_EQ(whole.size() - offset.value(), 20U);
}

}  // namespace
}  // namespace gatehouse::dns
