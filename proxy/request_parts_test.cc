#include "proxy/request_parts.h"

#include <gmock/gmock.h>

#include "proxy/finding_places.h"
#include "proxy/request_reader.h"
#include "proxy/scripted_scanner.h"

namespace gatehouse::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

RequestHead head_of(const std::string& text) {
  RequestReader reader(Scheme::https);
  const auto event = reader.feed(text);
  EXPECT_TRUE(event && event->kind == ReadEvent::Kind::head) << text;
  RequestHead head = reader.head();
  keep_end_to_end(head.fields);
  return head;
}

// A request and what the scanner has been shown of it.
class Shown {
 public:
  explicit Shown(const std::string& text, Fields trailing = {})
      : head(head_of(text)), trailers(std::move(trailing)), parts(head) {
    const auto scan = scanner.open({});
    parts.show_head(*scan);
    parts.begin_body(*scan);
    parts.show_trailers(*scan, trailers);
  }
  const ScriptedStream& stream() { return scanner.last(); }
  // What was found where the scanner saw `secret` in that part.
  dlp::Finding find(std::string_view location, std::string_view secret, std::string path = "") {
    dlp::Finding finding;
    finding.rule = "test-token";
    finding.location = location;
    finding.part = stream().index(location);
    finding.offset = stream().bytes(location).find(secret);
    EXPECT_NE(finding.offset, std::string::npos) << location;
    finding.length = path.empty() ? secret.size() : 0;
    finding.path = std::move(path);
    finding.fingerprint = "0123456789abcdef";
    return finding;
  }

  RequestHead head;
  Fields trailers;
  RequestParts parts;
  ScriptedScanner scanner;
};

std::vector<std::string> locations(const ScriptedStream& stream) {
  std::vector<std::string> all;
  for (const auto& part : stream.parts) all.push_back(part.info.location);
  return all;
}

TEST(RequestParts, ShowEachPlaceOnItsOwnAndTheWholes) {
  Shown shown(
      "POST /a/b?x=1&flag&=bare&y=2;a-long-name=a=b HTTP/1.1\r\nHost: Api.example.com\r\nX-Key: v w\r\n"
      "Cookie: sid=one; theme=two\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\ncontent_encoding: BR\r\n"
      "Content-Length: 3\r\nConnection: X-Hop\r\nX-Hop: 1\r\nProxy-Authorization: Basic xyz\r\n\r\n",
      {{"X-Checksum", "4"}});
  EXPECT_THAT(locations(shown.stream()),
              ElementsAre("path", "query:x", "query:", "query:y", "query:a-long-name", "query-name", "query",
                          "cookie:sid", "cookie:theme", "header:host", "header:x-key", "header:cookie",
                          "header:content-type", "header:content-encoding", "header:content_encoding", "header-name",
                          "head", "body", "trailer:x-checksum", "trailer-name"));
  const auto& stream = shown.stream();
  EXPECT_EQ(stream.bytes("path"), "/a/b");
  EXPECT_EQ(stream.bytes("query:x"), "1");
  EXPECT_EQ(stream.bytes("query:"), "bare");
  EXPECT_EQ(stream.bytes("query:a-long-name"), "a=b");
  EXPECT_EQ(stream.bytes("query-name"), "a-long-name\n");
  EXPECT_EQ(stream.bytes("query"), "1bare2a=b");
  EXPECT_EQ(stream.bytes("header:host"), "Api.example.com");
  EXPECT_EQ(stream.bytes("header:x-key"), "v w");
  EXPECT_EQ(stream.bytes("header-name"), "Content-Type\nContent-Encoding\ncontent_encoding\n");
  EXPECT_EQ(stream.bytes("cookie:theme"), "two");
  EXPECT_EQ(stream.bytes("trailer:x-checksum"), "4");
  EXPECT_EQ(stream.bytes("trailer-name"), "X-Checksum\n");
  EXPECT_EQ(stream.bytes("head"),
            "/a/b?x=1&flag&=bare&y=2;a-long-name=a=b\nHost: Api.example.com\nX-Key: v w\nCookie: sid=one; theme=two\n"
            "Content-Type: text/plain\nContent-Encoding: gzip\ncontent_encoding: BR\n");
  const auto& body = stream.parts[stream.index("body")].info;
  EXPECT_EQ(body.content_type, "text/plain");
  EXPECT_EQ(body.content_encoding, "gzip, br");
}

TEST(RequestParts, ShowAQueryOfAnyLengthWholeButOnlySomeOfItOnItsOwn) {
  std::string target = "/?";
  for (int i = 0; i < 1000; ++i) target += "a=" + std::to_string(i) + "&";
  Shown shown("GET " + target + " HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_LE(shown.stream().parts.size(), kMaxPartsAlone + 6);
  EXPECT_THAT(shown.stream().bytes("query"), testing::EndsWith("998999"));
  EXPECT_THAT(shown.stream().bytes("head"), HasSubstr("a=999"));
}

TEST(RequestParts, TakeAQueryWithAPlusForAForm) {
  Shown shown("GET /a+b?key=c+d&long-name=1&x=2 HTTP/1.1\r\nHost: h.example\r\nCookie: a=1+1\r\n\r\n");
  Shown plain("GET /a+b?key=c%20d&x=2 HTTP/1.1\r\nHost: h.example\r\n\r\n");
  const auto types = [](Shown& of) {
    std::string all;
    for (const auto& part : of.stream().parts) all += part.info.content_type.empty() ? "" : part.info.location + "\n";
    return all;
  };
  EXPECT_EQ(types(shown), "query:key\nquery:long-name\nquery:x\nquery-name\nquery\n");
  EXPECT_EQ(shown.stream().parts[shown.stream().index("query:key")].info.content_type,
            "application/x-www-form-urlencoded");
  EXPECT_EQ(types(plain), "");
}

TEST(RequestParts, HaveNoBytesWhereThereAreNone) {
  Shown shown("GET /x HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_TRUE(shown.parts.slices_of(1000, 0, 1).empty());
  EXPECT_TRUE(shown.parts.slices_of(0, 100, 1).empty());
  EXPECT_TRUE(shown.parts.slices_of(0, UINT64_MAX, 2).empty());
  EXPECT_TRUE(shown.parts.slices_of(0, 0, 0).empty());
}

constexpr std::string_view kToken = "tok_AAAABBBBCCCC";

TEST(FindingPlaces, SayWhereTheRequestsReaderWouldLook) {
  const std::string request =
      "GET /p/tok_AAAABBBBCCCC?q=tok_AAAABBBBCCCC&tok_AAAABBBBCCCC=1 HTTP/1.1\r\nHost: h.example\r\n"
      "X-Key: Bearer tok_AAAABBBBCCCC\r\ntok_AAAABBBBCCCC: 1\r\nCookie: a=1; sid=tok_AAAABBBBCCCC\r\n\r\n";
  struct Case {
    std::string part;
    std::string location;
    uint64_t offset;
  };
  for (const auto& [part, location, offset] :
       {Case{"query:q", "query:q", 0}, Case{"path", "path", 3}, Case{"query-name", "query-name:tok_***", 0},
        Case{"head", "path", 3}, Case{"header:x-key", "header:x-key", 7}, Case{"cookie:sid", "cookie:sid", 0},
        Case{"header:cookie", "cookie:sid", 0}, Case{"header-name", "header-name:tok_***", 0},
        Case{"trailer:x-sum", "trailer:x-sum", 1}, Case{"body", "body", 5}}) {
    Shown shown(request, {{"X-Sum", "-tok_AAAABBBBCCCC"}});
    const_cast<ScriptedStream&>(shown.stream()).parts[shown.stream().index("body")].bytes = "body tok_AAAABBBBCCCC";
    const std::vector findings{shown.find(part, kToken)};
    const auto told = FindingPlaces(shown.parts, findings).told();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].location, location);
    EXPECT_EQ(told[0].offset, offset) << part;
  }
}

TEST(FindingPlaces, TellOnceWhatSeveralPartsShow) {
  Shown shown("GET /?a=1&q=tok_AAAABBBBCCCC&z=2 HTTP/1.1\r\nHost: h.example\r\n\r\n");
  auto longer = shown.find("query", "tok_AAAABBBBCCCC2");
  longer.fingerprint = "another";
  const std::vector findings{shown.find("head", kToken), longer, shown.find("query:q", kToken),
                             shown.find("head", "/?a", "percent")};
  const auto told = FindingPlaces(shown.parts, findings).told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].location, "query:q");
}

TEST(FindingPlaces, TellOfAQueryWhatOnlyTheWholeShows) {
  Shown shown("GET /?a=tok_AAAA&b=BBBBCCCC HTTP/1.1\r\nHost: h.example\r\n\r\n");
  const std::vector findings{shown.find("query", kToken)};
  const auto told = FindingPlaces(shown.parts, findings).told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].location, "query:a");
}

TEST(FindingPlaces, ShowNothingOfWhatWasFound) {
  Shown shown(
      "GET /p/tok_AAAABBBBCCCC/tok_AAAABBBBCCCC?tok_AAAABBBBCCCC=tok_AAAABBBBCCCC HTTP/1.1\r\nHost: h.example\r\n\r\n");
  // The second one in the path is not reported: it is the same.
  const std::vector findings{shown.find("path", kToken), shown.find("query-name", kToken),
                             shown.find("query:tok_AAAABBBBCCCC", kToken)};
  const FindingPlaces places(shown.parts, findings);
  EXPECT_EQ(places.masked_path(), "/p/tok_***/tok_***");
  for (const auto& told : places.told()) EXPECT_THAT(told.location, Not(HasSubstr("AAAA")));
  EXPECT_EQ(places.told().back().location, "query:tok_***");
}

TEST(FindingPlaces, ShowNoPathThatHoldsSomethingEncoded) {
  Shown shown("GET /p/dG9rX0FBQUE=/x HTTP/1.1\r\nHost: h.example\r\n\r\n");
  for (const std::string part : {"path", "head"}) {
    const std::vector findings{shown.find(part, "dG9r", "base64")};
    EXPECT_EQ(FindingPlaces(shown.parts, findings).masked_path(), "/***") << part;
    EXPECT_EQ(FindingPlaces(shown.parts, findings).told().at(0).location, part);
  }
}

TEST(FindingPlaces, ShowNoPathWhenNotEverythingFoundIsReported) {
  Shown shown("GET /p/x HTTP/1.1\r\nHost: h.example\r\nX: tok_AAAABBBBCCCC\r\n\r\n");
  std::vector findings{shown.find("header:x", kToken)};
  findings[0].detail = fmt::format("and 7 {}", dlp::kMoreFindings);
  EXPECT_EQ(FindingPlaces(shown.parts, findings).masked_path(), "/***");
  findings[0].detail.clear();
  EXPECT_EQ(FindingPlaces(shown.parts, findings).masked_path(), "/p/x");
  findings.resize(dlp::kMaxFindings, findings[0]);
  EXPECT_EQ(FindingPlaces(shown.parts, findings).masked_path(), "/***");
}

TEST(FindingPlaces, LeaveThePathOfAFindingElsewhere) {
  Shown shown("GET /p/x?q=tok_AAAABBBBCCCC HTTP/1.1\r\nHost: h.example\r\nX: tok_AAAABBBBCCCC\r\n\r\n");
  const std::vector findings{shown.find("query:q", kToken), shown.find("header:x", kToken)};
  const FindingPlaces places(shown.parts, findings);
  EXPECT_EQ(places.masked_path(), "/p/x");
  EXPECT_FALSE(places.in_host());
}

TEST(FindingPlaces, KnowTheHost) {
  Shown shown("GET /x HTTP/1.1\r\nHost: tok-aaaa.h.example\r\n\r\n");
  const std::vector findings{shown.find("header:host", "tok-aaaa")};
  EXPECT_TRUE(FindingPlaces(shown.parts, findings).in_host());
}

class Redacting : public testing::Test {
 protected:
  bool redact_all(Shown& shown, const std::vector<dlp::Finding>& findings) {
    std::vector<dlp::Redaction> redactions;
    for (const auto& finding : findings) redactions.push_back({finding.part, finding.offset, finding.length});
    return redact(redactions, shown.parts, shown.head, shown.trailers, body_);
  }
  BodyRoom room_{testing::TempDir()};
  HeldBody body_{room_};
};

TEST_F(Redacting, OverwritesEveryPlaceAndKeepsItsLength) {
  Shown shown(
      "GET /p/tok_AAAABBBBCCCC?q=tok_AAAABBBBCCCC HTTP/1.1\r\nHost: h.example\r\nX-Key: a tok_AAAABBBBCCCC b\r\n"
      "Cookie: sid=tok_AAAABBBBCCCC\r\n\r\n",
      {{"X-Sum", "tok_AAAABBBBCCCC"}});
  ASSERT_TRUE(body_.append("one tok_AAAABBBBCCCC two"));
  dlp::Finding in_body;
  in_body.part = shown.stream().index("body");
  in_body.offset = 4;
  in_body.length = kToken.size();
  EXPECT_TRUE(redact_all(shown, {shown.find("path", kToken), shown.find("query:q", kToken),
                                 shown.find("header:x-key", kToken), shown.find("cookie:sid", kToken),
                                 shown.find("header:cookie", kToken), shown.find("trailer:x-sum", kToken), in_body}));
  const std::string stars(kToken.size(), '*');
  EXPECT_EQ(shown.head.path, "/p/" + stars + "?q=" + stars);
  EXPECT_EQ(find_field(shown.head.fields, "X-Key")->value, "a " + stars + " b");
  EXPECT_EQ(find_field(shown.head.fields, "Cookie")->value, "sid=" + stars);
  EXPECT_EQ(shown.trailers[0].value, stars);
  EXPECT_EQ(body_.read(0).value(), "one " + stars + " two");
}

TEST_F(Redacting, ReachesTheValuesThatAJoinedQueryIsMadeOf) {
  Shown shown("GET /?a=tok_AAAA&b=BBBBCCCC HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_TRUE(redact_all(shown, {shown.find("query", kToken)}));
  EXPECT_EQ(shown.head.path, "/?a=********&b=********");
}

TEST_F(Redacting, LeavesWhatARuleTookOfTheNextValueWhenTheyWereJoined) {
  Shown shown("GET /?a=tok_AAAABBBBCCCC&b=next HTTP/1.1\r\nHost: h.example\r\n\r\n");
  EXPECT_TRUE(redact_all(shown, {shown.find("query", "tok_AAAABBBBCCCCnext"), shown.find("query:a", kToken)}));
  EXPECT_EQ(shown.head.path, "/?a=****************&b=next");
}

TEST_F(Redacting, RefusesWhatItCannotOverwrite) {
  Shown shown("GET /x HTTP/1.1\r\nHost: tok-aaaa.h.example\r\nX-Key: abc\r\n\r\n");
  const uint32_t key = shown.stream().index("header:x-key");
  const uint32_t body = shown.stream().index("body");
  ASSERT_TRUE(body_.append("abc"));
  EXPECT_FALSE(redact_all(shown, {shown.find("header:host", "tok-aaaa")}));
  const std::vector<dlp::Redaction> impossible{{key, 0, 100}, {key, 3, 2}, {1000, 0, 3}, {body, 1, 3}, {body, 9, 1}};
  for (const auto& redaction : impossible) {
    EXPECT_FALSE(redact({redaction}, shown.parts, shown.head, shown.trailers, body_));
  }
  EXPECT_FALSE(redact({}, shown.parts, shown.head, shown.trailers, body_));
}

}  // namespace
}  // namespace gatehouse::proxy
