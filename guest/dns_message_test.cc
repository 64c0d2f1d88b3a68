#include "guest/dns_message.h"

#include <gtest/gtest.h>

namespace gatehouse::guest {
namespace {

using namespace std::string_literals;

const std::string kHeader = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0"s;
const std::string kQuestion = "\x03www\x07"s + "example\0\0\x01\0\x01"s;

std::string with_opt(uint16_t size) {
  std::string query = kHeader + kQuestion + "\0\0\x29"s;
  query[11] = 1;
  query += static_cast<char>(size >> 8);
  query += static_cast<char>(size & 0xff);
  return query + "\0\0\0\0\0\0"s;
}

TEST(DnsMessage, TellsQueriesFromResponses) {
  EXPECT_TRUE(is_query(kHeader + kQuestion));
  EXPECT_FALSE(is_response(kHeader + kQuestion));
  EXPECT_FALSE(is_query(kHeader.substr(0, 11)));
  EXPECT_TRUE(is_response(server_failure(kHeader)));
}

TEST(DnsMessage, AnswersServerFailureWithTheQuestion) {
  const std::string answer = server_failure(header_and_question(with_opt(1232)));
  EXPECT_EQ(answer, "\x12\x34\x81\x02\0\x01\0\0\0\0\0\0"s + kQuestion);
}

TEST(DnsMessage, AnswersServerFailureWithoutAQuestionThatCannotBeRead) {
  const std::string malformed[] = {
      kHeader,                                  // a question is announced and missing
      kHeader + "\x3fshort",                    // a label longer than the message
      kHeader + "\x41" + std::string(70, 'a'),  // a label type that does not exist
      kHeader + kQuestion.substr(0, 14),        // cut in the type
      "\x12\x34\x01\0\0\x02\0\0\0\0\0\0"s + kQuestion + kQuestion,
  };
  for (const std::string& query : malformed) {
    EXPECT_EQ(server_failure(header_and_question(query)), "\x12\x34\x81\x02\0\0\0\0\0\0\0\0"s);
  }
}

TEST(DnsMessage, TakesTheAnswerLimitFromEdns) {
  EXPECT_EQ(udp_answer_limit(kHeader + kQuestion), 512u);
  EXPECT_EQ(udp_answer_limit(with_opt(1232)), 1232u);
  EXPECT_EQ(udp_answer_limit(with_opt(100)), 512u);
  EXPECT_EQ(udp_answer_limit(with_opt(65535)), 65507u);
  EXPECT_EQ(udp_answer_limit(with_opt(1232).substr(0, kHeader.size() + kQuestion.size() + 5)), 512u);
}

TEST(DnsMessage, TruncatesWhatDoesNotFit) {
  std::string response = kHeader + kQuestion + std::string(600, 'r');
  response[2] = '\x81';
  response[7] = '\x02';
  EXPECT_EQ(fit_to_udp(response, response.size()), response);
  EXPECT_EQ(fit_to_udp(response, response.size() - 1), "\x12\x34\x83\0\0\x01\0\0\0\0\0\0"s + kQuestion);
}

}  // namespace
}  // namespace gatehouse::guest
