#include "dlp/decode/quoted_printable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/decode/recorded_host.h"

namespace gatehouse::dlp {
namespace {

void decode(RecordedHost& host, std::string_view bytes, size_t piece = SIZE_MAX, size_t cut = SIZE_MAX) {
  QuotedPrintable decoder(host);
  for (size_t at = 0; at < bytes.size();) {
    const auto part = bytes.substr(at, at == 0 ? std::min(cut, piece) : piece);
    decoder.write(part);
    at += part.size();
  }
  decoder.end();
}

TEST(QuotedPrintable, DecodesWhatIsEscaped) {
  const struct {
    const char* name;
    std::string bytes;
    std::string text;
  } rows[] = {
      {"one character", "gh=70_AAAA", "ghp_AAAA"},
      {"in lower case", "gh=7a", "ghz"},
      {"at both ends", "=41b=43", "AbC"},
      {"not ASCII", "caf=C3=A9", "caf\xc3\xa9"},
      {"a soft line break", "ghp_=\r\nAAAA", "ghp_AAAA"},
      {"one of a bare line feed", "ghp_=\nAAAA", "ghp_AAAA"},
      {"one behind blanks", "ghp_= \t \r\nAAAA", "ghp_AAAA"},
      {"control characters where something else is", "=41=00=0A", std::string("A\0\n", 3)},
      {"what is no escape beside one", "=41=4=4g===42= =\rx", "A=4=4g==B= =\rx"},
      {"an escape that does not end", "=41=4", "A=4"},
      {"half an escape at the end of a line", "=41=A\n=\r.", "A=A\n=\r."},
      {"a '=' at the end", "=41=", "A="},
      {"a line under a title", "=41\n====\nB", "A\n====\nB"},
      {"an escape within what looked like one", "==41", "=A"},
      {"too many blanks for a line break", "=41=          \nB", "A=          \nB"},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, SIZE_MAX}) {
      RecordedHost host;
      decode(host, row.bytes, piece);
      EXPECT_EQ(host.text("qp"), row.text) << row.name;
      EXPECT_TRUE(host.all_ended()) << row.name;
      EXPECT_TRUE(host.copies_are_of(row.bytes)) << row.name;
    }
  }
}

TEST(QuotedPrintable, HandsNothingOnOfTextWithoutEscapes) {
  for (const std::string bytes :
       {"plain text", "a = b; c == d; e=\"f\"", "x=10&y=0a&z=7F", "dGVzdA==", "=", "= ", "=4", "a=g1", "=\rx"}) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      RecordedHost host;
      decode(host, bytes, piece);
      EXPECT_EQ(host.outputs_asked, 0u) << bytes;
    }
  }
}

TEST(QuotedPrintable, HandsOnAStretchAroundEachEscape) {
  const std::string filler(1000, '.');
  const std::string near(200, '-');
  const std::string bytes = filler + "=41" + near + "=42" + filler + "=43" + filler;
  const std::string context(kQuotedContextBytes, '.');
  for (const size_t piece : {size_t{1}, size_t{100}, SIZE_MAX}) {
    RecordedHost host;
    decode(host, bytes, piece);
    EXPECT_EQ(host.text("qp"), context + "A" + near + "B" + context + "|" + context + "C" + context);
    ASSERT_EQ(host.pieces("qp").size(), 2u);
    EXPECT_EQ(host.pieces("qp")[0].piece.origin, 1000 - kQuotedContextBytes);
    EXPECT_TRUE(host.copies_are_of(bytes));
  }
}

TEST(QuotedPrintable, SplitsNothingBetweenTwoStretches) {
  // The secret lies across the end of the first stretch's context.
  const std::string bytes = "=41" + std::string(kQuotedContextBytes - 4, '.') + "ghp_0123456789=41BCDEF";
  RecordedHost host;
  decode(host, bytes);
  EXPECT_THAT(host.text("qp"), testing::HasSubstr("ghp_0123456789ABCDEF"));
  EXPECT_TRUE(host.copies_are_of(bytes));
}

TEST(QuotedPrintable, IsTheSameCutAnywhere) {
  std::string bytes = "begin =41=\r\nmore=  \n=zz=4";
  bytes += std::string(300, 'x') + "=C3=A9" + std::string(255, 'y') + "=41=10=" + std::string(600, 'z') + "=\n=";
  RecordedHost whole;
  decode(whole, bytes);
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
      RecordedHost host;
      decode(host, bytes, piece, cut);
      ASSERT_EQ(host.story(), whole.story()) << cut << " " << piece;
      ASSERT_TRUE(host.copies_are_of(bytes));
    }
  }
}

TEST(QuotedPrintable, LetsNothingSpanABoundaryAndCountsOn) {
  RecordedHost host;
  QuotedPrintable decoder(host);
  decoder.write("one =4");
  decoder.boundary();
  decoder.write("1 two =42");
  decoder.end();
  decoder.write("=43");
  decoder.end();
  EXPECT_EQ(host.text("qp"), "1 two B|C");
  EXPECT_EQ(host.pieces("qp")[0].piece.origin, 6u);
  EXPECT_EQ(host.pieces("qp")[1].piece.origin, 0u);
}

TEST(QuotedPrintable, StopsAtOnceWhenTheBudgetOrTheDepthIsSpent) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += "=41=42=43 ";
  RecordedHost host(100);
  decode(host, bytes, 64);
  EXPECT_EQ(host.written_after_no, 0u);
  EXPECT_LT(host.written, 200u);
  EXPECT_TRUE(host.all_ended());
  RecordedHost deep(SIZE_MAX, true);
  decode(deep, bytes, 64);
  EXPECT_EQ(deep.outputs_asked, 1u);
}

}  // namespace
}  // namespace gatehouse::dlp
