#include "dlp/decode/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/decode/test_archives.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> labelled(const RecordedHost& host) {
  std::vector<std::string> all;
  for (const auto& piece : host.pieces("tar")) all.push_back(piece.piece.label + "=" + piece.bytes);
  return all;
}

TEST(Tar, GivesEachEntryItsNameAndItsContent) {
  const std::string tar = tar_entry("a.txt", "first") + tar_entry("dir", "", '5') +
                          tar_entry("b", std::string(512, 'b'), '0', "some/dir") +
                          tar_header("link", 0, '2', {}, "target") + tar_end();
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{511}, size_t{512}, size_t{513}, SIZE_MAX}) {
    RecordedHost host;
    sniff(host, tar, piece, "application/x-tar");
    EXPECT_THAT(labelled(host),
                ElementsAre("entry-name=a.txt", "entry:a.txt=first", "entry-name=dir", "entry-name=some/dir/b",
                            "entry:some/dir/b=" + std::string(512, 'b'), "entry-name=link", "entry-name=target"))
        << piece;
    EXPECT_THAT(host.faults, IsEmpty()) << piece;
    EXPECT_TRUE(host.all_ended());
    EXPECT_TRUE(host.copies_are_of(tar)) << piece;
  }
}

TEST(Tar, IsTheSameCutAnywhere) {
  const std::string tar = tar_entry("a.txt", "first") + tar_entry("b", gzipped("second")) + tar_end() + "junk";
  RecordedHost whole;
  sniff(whole, tar);
  for (size_t cut = 1; cut < tar.size(); ++cut) {
    RecordedHost host;
    sniff(host, tar, SIZE_MAX, {}, cut);
    ASSERT_EQ(host.story(), whole.story()) << cut;
  }
}

TEST(Tar, ReadsLongNamesAndSizesOfExtendedHeaders) {
  const std::string long_name(300, 'n');
  const std::string pax_path = "17 path=pax/name\n" + std::string("10 size=5\n");
  const struct {
    const char* name;
    std::string tar;
    std::string entry;
  } rows[] = {
      {"GNU long name", tar_entry("././@LongLink", long_name + std::string(1, '\0'), 'L') + tar_entry("nnn", "hello"),
       long_name},
      {"pax path and size", tar_entry("PaxHeader", pax_path, 'x') + tar_entry("short", "hello"), "pax/name"},
      {"v7 without magic",
       [] {
         std::string header = tar_header("v7", 5);
         for (size_t at = 257; at < 265; ++at) header[at] = 0;
         header.replace(148, 8, "        ");
         unsigned sum = 0;
         for (const char byte : header) sum += static_cast<uint8_t>(byte);
         char digits[16];
         std::snprintf(digits, sizeof digits, "%6o", sum);
         header.replace(148, 7, digits, 7);
         return header + "hello" + std::string(507, '\0');
       }(),
       "v7"},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      RecordedHost host;
      sniff(host, row.tar + tar_end(), piece);
      const auto& pieces = host.pieces("tar");
      ASSERT_GE(pieces.size(), 2u) << row.name;
      EXPECT_EQ(pieces.back().bytes, "hello") << row.name;
      EXPECT_EQ(pieces[pieces.size() - 2].bytes, row.entry) << row.name;
      EXPECT_EQ(pieces[pieces.size() - 2].piece.label, "entry-name") << row.name;
    }
  }
}

TEST(Tar, HandsOnWhatIsThereOfAnEntryThatIsSaidToBeHuge) {
  for (const uint64_t size : {uint64_t{10} << 30, uint64_t{1} << 40, UINT64_MAX}) {
    RecordedHost host;
    sniff(host, tar_header("huge", size) + std::string(1000, 'x'));
    EXPECT_THAT(labelled(host), ElementsAre("entry-name=huge", "entry:huge=" + std::string(1000, 'x'))) << size;
  }
}

TEST(Tar, IsAFaultOnlyIfItWasDeclared) {
  const std::string good = tar_entry("a", std::string(600, 'a'));
  const struct {
    const char* fault;
    std::string bytes;
  } rows[] = {
      {"tar: cut short", good.substr(0, 700)},
      {"tar: cut short", good + tar_header("b", 3).substr(0, 100)},
      {"tar: a block that is no header", good + std::string(512, 'x')},
      {"tar: it does not begin with a header", std::string(2000, 'x')},
      {"tar: it does not begin with a header", "short"},
  };
  for (const auto& row : rows) {
    RecordedHost guessed;
    sniff(guessed, row.bytes);
    EXPECT_THAT(guessed.faults, IsEmpty()) << row.fault;
    RecordedHost declared;
    sniff(declared, row.bytes, 64, "application/x-tar");
    EXPECT_THAT(declared.faults, ElementsAre(row.fault));
    EXPECT_TRUE(declared.all_ended());
  }
}

TEST(Tar, IsFoundAtAnyBlockOfThePiece) {
  RecordedHost host;
  sniff(host,
        std::string(1536, 'j') + tar_entry("a", "text") + tar_end() + std::string(512, 'j') + tar_entry("b", "more"),
        100);
  EXPECT_THAT(labelled(host), ElementsAre("entry-name=a", "entry:a=text", "entry-name=b", "entry:b=more"));
}

TEST(Tar, IsOnlyWhatHasTheRightChecksum) {
  std::string header = tar_header("a", 4);
  EXPECT_TRUE(is_tar_header(header.data()));
  header[0] = 'b';
  EXPECT_FALSE(is_tar_header(header.data()));
  for (const char fill : {'\0', ' ', '0', '7', 'x', '\xff'}) {
    EXPECT_FALSE(is_tar_header(std::string(512, fill).data())) << int{fill};
  }
  // Signed sums, of names that are not ASCII.
  std::string old = tar_header("\xc3\xa9", 4);
  unsigned sum = 0;
  old.replace(148, 8, "        ");
  for (const char byte : old) sum += static_cast<unsigned>(static_cast<signed char>(byte));
  char digits[16];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  old.replace(148, 7, digits, 7);
  EXPECT_TRUE(is_tar_header(old.data()));
}

TEST(Tar, SurvivesEachCorruptByteOfItsHeaders) {
  const std::string tar = tar_entry("././@LongLink", std::string(200, 'n'), 'L') + tar_entry("nnn", "hello") +
                          tar_entry("P", "12 size=99\n", 'x') + tar_entry("q", std::string(99, 'q')) + tar_end();
  for (size_t at = 0; at < tar.size(); ++at) {
    std::string bad = tar;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    RecordedHost host;
    sniff(host, bad, 333);
    ASSERT_TRUE(host.all_ended()) << at;
    ASSERT_TRUE(host.copies_are_of(bad)) << at;
    ASSERT_LT(host.written, 2 * tar.size()) << at;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
