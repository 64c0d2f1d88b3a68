#include "dlp/decode/multipart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/decode/test_archives.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kType = "multipart/form-data; boundary=XX";

// The pieces but for headers and names: "label=bytes".
std::vector<std::string> contents(const RecordedHost& host) {
  std::vector<std::string> all;
  for (const auto& piece : host.pieces("form")) {
    const auto& label = piece.piece.label;
    if (label != "part-header" && label != "form-name" && label != "file-name")
      all.push_back(label + "=" + piece.bytes);
  }
  return all;
}

std::string field(std::string_view name, std::string_view content, std::string_view boundary = "XX") {
  return "--" + std::string(boundary) + "\r\nContent-Disposition: form-data; name=\"" + std::string(name) +
         "\"\r\n\r\n" + std::string(content) + "\r\n";
}

TEST(Multipart, GivesEachPartItsHeaderItsNamesAndItsContent) {
  const std::string body = field("token", "first") +
                           "--XX\r\nContent-Disposition: form-data; name=\"up\"; filename=\"a "
                           "\\\"b\\\".txt\"\r\nContent-Type: text/plain\r\n"
                           "Content-Transfer-Encoding: base64\r\n\r\nc2Vjb25k\r\n--XX--\r\n";
  RecordedHost whole;
  sniff(whole, body, SIZE_MAX, kType);
  std::vector<std::string> labelled;
  for (const auto& piece : whole.pieces("form")) labelled.push_back(piece.piece.label + "=" + piece.bytes);
  EXPECT_THAT(labelled,
              ElementsAre("part-header=Content-Disposition: form-data; name=\"token\"\r\n", "form-name=token",
                          "form:token=first", "file-name=a \"b\".txt",
                          "part-header=Content-Disposition: form-data; name=\"up\"; filename=\"a \\\"b\\\".txt\"\r\n"
                          "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n",
                          "form-name=up", "file:a \"b\".txt=c2Vjb25k"));
  const auto& file = whole.pieces("form").back().piece;
  EXPECT_EQ(file.content_type, "text/plain");
  EXPECT_EQ(file.content_encoding, "base64");
  EXPECT_TRUE(whole.copies_are_of(body));
  EXPECT_TRUE(whole.all_ended());
  EXPECT_THAT(whole.faults, IsEmpty());
  for (size_t cut = 1; cut < body.size(); ++cut) {
    for (const size_t piece : {size_t{1}, size_t{5}, SIZE_MAX}) {
      RecordedHost host;
      sniff(host, body, piece, kType, cut);
      ASSERT_EQ(host.story(), whole.story()) << cut << " " << piece;
      ASSERT_TRUE(host.copies_are_of(body)) << cut;
    }
  }
}

TEST(Multipart, ReadsWhatLenientReadersRead) {
  const struct {
    const char* name;
    const char* type;
    std::string body;
    std::vector<std::string> contents;
  } rows[] = {
      {"quoted boundary", "Multipart/Form-Data; Boundary=\"X X\"", field("a", "1", "X X") + "--X X--", {"form:a=1"}},
      {"lines end in LF", kType, "--XX\nContent-Disposition: form-data; name=a\n\n1\n2\n--XX--\n", {"form:a=1\n2"}},
      {"no end", kType, field("a", "1") + field("b", "2"), {"form:a=1", "form:b=2\r\n"}},
      {"no boundary", "multipart/form-data", field("a", "1") + "--XX--\r\n", {"form:a=1"}},
      {"another boundary", "multipart/form-data; boundary=YY", field("a", "1") + "--XX--\r\n", {"form:a=1"}},
      {"two boundaries, and the second is used",
       "multipart/form-data; boundary=YY; boundary=XX",
       "before\r\n" + field("a", "1") + "--XX--",
       {"part=before", "form:a=1"}},
      {"empty lines in front", "multipart/mixed", "\r\n\r\n" + field("a", "1") + "--XX--", {"part=\r\n", "form:a=1"}},
      {"text before and after",
       kType,
       "before\r\n" + field("a", "1") + "--XX--\r\nafter",
       {"part=before", "form:a=1", "part=after"}},
      {"blanks after the boundary", kType, "--XX \t\r\n\r\n1\r\n--XX--  ", {"part=1"}},
      {"a part without headers", kType, "--XX\r\n\r\n1\r\n--XX--", {"part=1"}},
      {"a part without content", kType, field("a", "") + field("b", "2") + "--XX--", {"form:b=2"}},
      {"a part that is headers only",
       kType,
       "--XX\r\nContent-Disposition: form-data; name=a\r\n--XX\r\n\r\n2\r\n--XX--",
       {"part=2"}},
      {"lines that begin like a delimiter",
       kType,
       field("a", "-\r\n--\r\n--X\r\n--XXX\r\n--XX-\r\n\r--XX\r\n\r\r\n") + "--XX--",
       {"form:a=-\r\n--\r\n--X\r\n--XXX\r\n--XX-\r\n\r--XX\r\n\r\r\n"}},
      {"a folded header",
       kType,
       "--XX\r\nContent-Disposition: form-data;\r\n name=a;\r\n\tfilename=f\r\n\r\n1\r\n--XX--",
       {"file:f=1"}},
      {"an extended file name",
       kType,
       "--XX\r\ncontent-disposition: form-data; name=a; filename*=UTF-8''%e2%82%ac\r\n\r\n1\r\n--XX--",
       {"file:UTF-8''%e2%82%ac=1"}},
      {"no multipart at all", kType, "just text\r\nof two lines\r\n", {"part=just text\r\nof two lines\r\n"}},
      {"one that its boundary begins", "multipart/mixed; boundary=X", field("a", "1", "XX") + "--XX--", {"form:a=1"}},
      {"nothing", kType, "", {}},
      {"an end and nothing else", kType, "--XX--", {}},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{1}, size_t{2}, SIZE_MAX}) {
      RecordedHost host;
      sniff(host, row.body, piece, row.type);
      EXPECT_EQ(contents(host), row.contents) << row.name << " in pieces of " << piece;
      EXPECT_TRUE(host.copies_are_of(row.body)) << row.name;
      EXPECT_TRUE(host.all_ended()) << row.name;
      EXPECT_THAT(host.faults, IsEmpty()) << row.name;
    }
  }
}

TEST(Multipart, LeavesANestedOneToTheLayerOfItsParts) {
  const std::string inner = field("f", "secret", "YY") + "--YY--";
  const std::string body = "--XX\r\nContent-Type: multipart/mixed; boundary=YY\r\n\r\n" + inner + "\r\n--XX--";
  RecordedHost host;
  sniff(host, body, SIZE_MAX, kType);
  EXPECT_EQ(host.pieces("form").back().bytes, inner);
  EXPECT_EQ(host.pieces("form").back().piece.content_type, "multipart/mixed; boundary=YY");
}

TEST(Multipart, TellsOfAPartsOwnCodingsInTheirOrder) {
  const std::string body = "--XX\r\nContent-Encoding: gzip\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--XX--";
  RecordedHost host;
  sniff(host, body, SIZE_MAX, kType);
  EXPECT_EQ(host.pieces("form").back().piece.content_encoding, "gzip, base64");
}

TEST(Multipart, TakesHeadersOverTheLimitForContent) {
  const std::string body = "--XX\r\nX: " + std::string(100'000, 'h') + "\r\n\r\nsecret\r\n--XX--";
  for (const size_t piece : {size_t{1000}, SIZE_MAX}) {
    RecordedHost host;
    sniff(host, body, piece, kType);
    ASSERT_EQ(host.pieces("form").size(), 2u);
    EXPECT_EQ(host.pieces("form")[0].bytes.size(), kMaxPartHeaderBytes);
    EXPECT_THAT(host.pieces("form")[1].bytes, testing::EndsWith("h\r\n\r\nsecret"));
    EXPECT_TRUE(host.copies_are_of(body));
  }
}

TEST(Multipart, LooksForNothingItselfInWhatItHandsOn) {
  RecordedHost host;
  sniff(host, field("a", gzipped("secret")) + "--XX--", SIZE_MAX, kType);
  EXPECT_THAT(host.pieces("gzip"), IsEmpty());
}

TEST(Multipart, SurvivesEachCorruptByte) {
  const std::string body = field("token", "first") + field("up", "second\r\n--X") + "--XX--\r\n";
  for (size_t at = 0; at < body.size(); ++at) {
    for (const char with : {'\n', '\r', '-', '"', '\0'}) {
      std::string bad = body;
      bad[at] = with;
      RecordedHost host;
      sniff(host, bad, 3, kType);
      RecordedHost whole;
      sniff(whole, bad, SIZE_MAX, kType);
      ASSERT_EQ(host.story(), whole.story()) << at;
      ASSERT_TRUE(whole.all_ended() && whole.copies_are_of(bad)) << at;
      ASSERT_LT(whole.written, 2 * body.size()) << at;
    }
  }
}

TEST(Multipart, WritesNothingMoreWhenNoMoreIsWanted) {
  RecordedHost host(100);
  sniff(host, field("a", std::string(5000, 'a')) + field("b", "b"), 64, kType);
  EXPECT_EQ(host.written_after_no, 0u);
  EXPECT_LT(host.written, 300u);
  EXPECT_TRUE(host.all_ended());
}

}  // namespace
}  // namespace gatehouse::dlp
