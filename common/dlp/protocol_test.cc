#include "common/dlp/protocol.h"

#include <gmock/gmock.h>

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string payload_of(const std::string& frame) { return frame.substr(ipc::kFrameHeaderBytes); }

Finding sample_finding() {
  return {.rule = "github-pat",
          .category = "credentials",
          .title = "GitHub personal access token",
          .severity = FindingAction::deny,
          .action = FindingAction::warn,
          .exemption = "",
          .confidence = Confidence::high,
          .part = 3,
          .location = std::string("body\0\xff", 6),
          .path = "gzip>json",
          .offset = 0x0102030405060708,
          .length = 40,
          .prefix = "ghp_",
          .fingerprint = "0123456789abcdef",
          .detail = "twice"};
}

std::string encoded(const ScanVerdict& verdict) {
  std::string out;
  append_verdict(out, verdict);
  return payload_of(out);
}

TEST(Protocol, CarriesWhateverBytesTheGuestChose) {
  const std::string bytes("a\0\xff\xc3(", 5);
  std::string out;
  ASSERT_TRUE(append_open(out, {"https", Direction::in, bytes, "trace"}));
  const auto stream = decode_open(payload_of(out));
  ASSERT_TRUE(stream);
  EXPECT_EQ(std::tie(stream->channel, stream->host, stream->trace_id), std::make_tuple("https", bytes, "trace"));
  EXPECT_EQ(stream->direction, Direction::in);
  out.clear();
  ASSERT_TRUE(append_part(out, {"header:" + bytes, bytes, "gzip, br"}));
  const auto part = decode_part(payload_of(out));
  ASSERT_TRUE(part);
  EXPECT_EQ(std::tie(part->location, part->content_type, part->content_encoding),
            std::make_tuple("header:" + bytes, bytes, "gzip, br"));
}

TEST(Protocol, CarriesAVerdictWhole) {
  const ScanVerdict verdict{
      ScanVerdict::Outcome::redact, {sample_finding(), sample_finding()}, {{0, 5, 6}, {0, 11, 1}, {2, 0, 9}}};
  const auto read = decode_verdict(encoded(verdict));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->outcome, ScanVerdict::Outcome::redact);
  ASSERT_EQ(read->findings.size(), 2U);
  EXPECT_EQ(encoded(*read), encoded(verdict));
  EXPECT_EQ(read->findings[1].offset, 0x0102030405060708U);
  EXPECT_EQ(read->findings[1].location, sample_finding().location);
}

TEST(Protocol, RefusesWhatItWouldHaveToJudgeByHalf) {
  const std::string long_text(kMaxInfoBytes + 1, 'x');
  std::string out;
  for (const auto& refused : {append_open(out, {"https", Direction::out, long_text, ""}),
                              append_part(out, {"body", long_text, ""}), append_part(out, {"body", "", long_text})}) {
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("over the scanner's limit"));
  }
  EXPECT_EQ(out, "");
  ASSERT_TRUE(append_part(out, {long_text, "", ""}));
  EXPECT_EQ(decode_part(payload_of(out))->location.size(), kMaxShownBytes);
}

TEST(Protocol, CutsDataIntoFramesThatAreTaken) {
  std::string out;
  append_data(out, std::string(2 * kMaxFrameBytes + 1, 'x'));
  ipc::FrameReader reader(kMaxFrameBytes);
  reader.feed(out);
  std::vector<size_t> sizes;
  for (auto frame = reader.next_view(); frame && *frame; frame = reader.next_view()) {
    sizes.push_back((*frame)->payload.size());
  }
  EXPECT_THAT(sizes, ElementsAre(kMaxFrameBytes, kMaxFrameBytes, 1U));
}

TEST(Protocol, RefusesAnythingCutShortOrTooLong) {
  std::string open;
  ASSERT_TRUE(append_open(open, {"https", Direction::out, "host.example", "trace"}));
  std::string part;
  ASSERT_TRUE(append_part(part, {"body", "text/plain", "gzip"}));
  const struct {
    std::string whole;
    std::function<bool(std::string_view)> reads;
  } cases[] = {
      {payload_of(open), [](std::string_view bytes) { return decode_open(bytes).has_value(); }},
      {payload_of(part), [](std::string_view bytes) { return decode_part(bytes).has_value(); }},
      {encoded({ScanVerdict::Outcome::redact, {sample_finding()}, {{0, 5, 6}}}),
       [](std::string_view bytes) { return decode_verdict(bytes).has_value(); }},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(c.reads(c.whole));
    for (size_t size = 0; size < c.whole.size(); ++size) EXPECT_FALSE(c.reads(c.whole.substr(0, size))) << size;
    EXPECT_FALSE(c.reads(c.whole + '\0'));
  }
}

TEST(Protocol, RefusesAVerdictThatContradictsItself) {
  using Outcome = ScanVerdict::Outcome;
  const auto with = [](FindingAction action) {
    Finding finding = sample_finding();
    finding.action = action;
    return std::vector<Finding>{finding};
  };
  const std::vector<Redaction> one = {{0, 0, 4}};
  const struct {
    ScanVerdict verdict;
    std::string told;  // empty: taken
  } cases[] = {
      {{Outcome::allow, {}, {}}, ""},
      {{Outcome::allow, with(FindingAction::warn), {}}, ""},
      {{Outcome::allow, with(FindingAction::exempt), {}}, ""},
      {{Outcome::deny, {}, {}}, ""},
      {{Outcome::redact, with(FindingAction::redact), one}, ""},
      {{Outcome::allow, with(FindingAction::redact), {}}, "allows what its findings do not"},
      {{Outcome::allow, with(FindingAction::deny), {}}, "allows what its findings do not"},
      {{Outcome::redact, with(FindingAction::deny), one}, "redacts what its findings deny"},
      {{Outcome::redact, with(FindingAction::redact), {}}, "redacts nothing"},
      {{Outcome::allow, {}, one}, "has redactions and does not redact"},
      {{Outcome::redact, {}, {{0, 4, 4}, {0, 7, 1}}}, "redactions out of order"},
      {{Outcome::redact, {}, {{1, 0, 1}, {0, 7, 1}}}, "redactions out of order"},
      {{Outcome::redact, {}, {{0, 4, 0}}}, "redaction of 0 bytes"},
      {{Outcome::redact, {}, {{0, 4, ~uint64_t{0}}}}, "redaction of 18446744073709551615 bytes at 4"},
  };
  for (const auto& c : cases) {
    const auto read = decode_verdict(encoded(c.verdict));
    EXPECT_EQ(read.has_value(), c.told.empty()) << c.told;
    EXPECT_THAT(read ? "" : read.error().message(), HasSubstr(c.told));
  }
}

TEST(Protocol, GreetsAndRefusesAnotherVersion) {
  std::string out;
  append_hello(out);
  EXPECT_TRUE(decode_hello(payload_of(out)));
  EXPECT_TRUE(decode_hello(R"({"version":1,"name":"later"})"));
  for (const char* bad : {"", "{}", "1", "[1]", R"({"version":2})", R"({"version":"1"})", R"({"version":1.5})",
                          R"({"version":[[[[1]]]]})", "{\"version\":1", R"({"version":1}{})"}) {
    EXPECT_FALSE(decode_hello(bad)) << bad;
  }
}

struct Answer {
  bool expecting;
  std::string bytes;
  std::string told;  // "verdict", "nothing", or the error
};

TEST(AnswerReader, TakesAHelloAndOneVerdictForEachQuestion) {
  std::string hello;
  append_hello(hello);
  std::string verdict;
  append_verdict(verdict, {ScanVerdict::Outcome::allow, {}, {}});
  const auto frame = [](uint8_t type, std::string_view payload) { return ipc::encode_frame(type, payload); };
  const Answer cases[] = {
      {true, "", "nothing"},
      {true, hello, "nothing"},
      {true, hello + verdict, "verdict"},
      {true, hello + verdict.substr(0, verdict.size() - 1), "nothing"},
      {false, hello, "nothing"},
      {false, hello + verdict, "unexpected frame of type 7"},
      {true, verdict, "unexpected frame of type 7"},
      {true, hello + hello, "unexpected frame of type 1"},
      {true, hello + verdict + verdict, "unexpected frame of type 7"},
      {true, hello + verdict + "\1", "says more than was asked"},
      {true, hello + frame(4, "data"), "unexpected frame of type 4"},
      {true, hello + frame(0, ""), "unexpected frame of type 0"},
      {true, frame(1, R"({"version":9})"), "hello: the other side speaks version 9, this one 1"},
      {true, hello + frame(7, "\1"), "verdict: cut short"},
      {true, hello + frame(7, std::string("\7\0\0\0\0", 5)), "verdict: unknown value 7"},
      {true, hello + std::string("\xff\xff\xff\xff\7", 5), "frame of 4294967294 bytes is over the limit of 262144"},
      {true, std::string(5, '\0'), "frame without a type"},
  };
  for (const auto& c : cases) {
    AnswerReader reader;
    if (c.expecting) reader.expect();
    const auto read = reader.receive(c.bytes);
    EXPECT_EQ(!read ? read.error().message() : *read ? "verdict" : "nothing", c.told);
  }
}

TEST(AnswerReader, ReadsTheSameWhateverThePieces) {
  std::string stream;
  append_hello(stream);
  append_verdict(stream, {ScanVerdict::Outcome::deny, {sample_finding()}, {}});
  AnswerReader reader;
  reader.expect();
  for (size_t i = 0; i + 1 < stream.size(); ++i) {
    const auto read = reader.receive({&stream[i], 1});
    ASSERT_TRUE(read);
    ASSERT_FALSE(*read);
  }
  const auto read = reader.receive({&stream.back(), 1});
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->findings.at(0).rule, "github-pat");
  EXPECT_FALSE(reader.expecting());
}

}  // namespace
}  // namespace gatehouse::dlp
