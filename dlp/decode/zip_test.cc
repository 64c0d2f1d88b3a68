#include "dlp/decode/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/decode/test_archives.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> labelled(const RecordedHost& host, const std::string& kind = "zip") {
  std::vector<std::string> all;
  for (const auto& piece : host.pieces(kind)) all.push_back(piece.piece.label + "=" + piece.bytes);
  return all;
}

TEST(Zip, GivesEachEntryItsNameAndItsContent) {
  const std::string zip =
      packed("a.txt", "first") + stored("dir/", "") + stored("dir/b", "second") + packed("", "third") + zip_end();
  for (size_t cut = 0; cut <= zip.size(); ++cut) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      RecordedHost host;
      sniff(host, zip, piece, "application/zip", cut);
      ASSERT_THAT(labelled(host), ElementsAre("entry-name=a.txt", "entry:a.txt=first", "entry-name=dir/",
                                              "entry-name=dir/b", "entry:dir/b=second", "entry:=third"))
          << "cut at " << cut;
      ASSERT_THAT(host.faults, IsEmpty());
      ASSERT_TRUE(host.all_ended());
      ASSERT_TRUE(host.copies_are_of(zip));
    }
  }
}

TEST(Zip, ReadsWhatWritersMakeOfSizesThatTheyDoNotKnowYet) {
  const std::string zip64 = little(1, 2) + little(16, 2) + little(6, 8) + little(6, 8);
  const struct {
    const char* name;
    std::string bytes;
  } rows[] = {
      {"deflate with a data descriptor",
       zip_entry("n", deflated("secret", -15), {.flags = 8, .size = 0}) + "PK\x07\x08" + std::string(12, 'x')},
      {"stored with zip64 sizes", zip_entry("n", "secret", {.method = 0, .size = 0xffffffff, .extra = zip64})},
      {"another extra field in front",
       zip_entry("n", "secret",
                 {.method = 0, .size = 0xffffffff, .extra = little(0x5455, 2) + little(3, 2) + "abc" + zip64})},
      {"zstd", zip_entry("n", zstded("secret"), {.method = 93})},
      {"a declared size that is too small", zip_entry("n", deflated("secret", -15), {.size = 1})},
      {"a declared size of 4 GB", zip_entry("n", deflated("secret", -15), {.size = 0xfffffffe})},
  };
  for (const auto& row : rows) {
    RecordedHost host;
    sniff(host, row.bytes + packed("next", "more"), SIZE_MAX, "application/zip");
    EXPECT_THAT(labelled(host), ElementsAre("entry-name=n", "entry:n=secret", "entry-name=next", "entry:next=more"))
        << row.name;
    EXPECT_THAT(host.faults, IsEmpty()) << row.name;
  }
}

TEST(Zip, LeavesAStoredEntryOfUnknownSizeToTheLayerItIsIn) {
  RecordedHost host;
  sniff(host, zip_entry("n", gzipped("secret"), {.method = 0, .flags = 8, .size = 0}));
  EXPECT_THAT(labelled(host), ElementsAre("entry-name=n"));
  EXPECT_EQ(host.text("gzip"), "secret");
}

TEST(Zip, HandsOnWhatIsThereOfAStoredEntryThatIsSaidToBeHuge) {
  const std::string zip64 = little(1, 2) + little(16, 2) + little(10ull << 30, 8) + little(10ull << 30, 8);
  RecordedHost host;
  sniff(host, zip_entry("n", "secret", {.method = 0, .size = 0xffffffff, .extra = zip64}));
  EXPECT_THAT(labelled(host), ElementsAre("entry-name=n", "entry:n=secret"));
  EXPECT_THAT(host.faults, IsEmpty());
}

TEST(Zip, IsAFaultOnlyIfItWasDeclared) {
  const std::string good = packed("a", lines(4000));
  std::string corrupt = good;
  corrupt[40] = static_cast<char>(corrupt[40] ^ 0xff);
  corrupt[41] = static_cast<char>(corrupt[41] ^ 0xff);
  const struct {
    const char* fault;
    std::string bytes;
  } rows[] = {
      {"zip: an encrypted entry", zip_entry("a", "xxxxxxxxxxxx", {.flags = 1})},
      {"zip: an entry compressed in a way that cannot be undone", zip_entry("a", "xxxxxxxxxxxx", {.method = 12})},
      {"zip: cut short", good.substr(0, good.size() - 3)},
      {"zip: cut short", stored("a", "text").substr(0, 34)},
      {"zip: cut short", good.substr(0, 20)},
      {"zip: no entry is in it", "this is not a zip file, not at all"},
  };
  for (const auto& row : rows) {
    RecordedHost guessed;
    sniff(guessed, row.bytes);
    EXPECT_THAT(guessed.faults, IsEmpty()) << row.fault;
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      RecordedHost declared;
      sniff(declared, row.bytes, piece, "application/zip; x=y");
      EXPECT_THAT(declared.faults, ElementsAre(row.fault));
      EXPECT_TRUE(declared.all_ended()) << row.fault;
    }
  }
  RecordedHost host;
  sniff(host, corrupt, SIZE_MAX, "application/zip");
  ASSERT_EQ(host.faults.size(), 1u);
  EXPECT_THAT(host.faults[0], testing::StartsWith("zip: invalid"));
}

TEST(Zip, FindsNoFaultInAnEmptyArchive) {
  RecordedHost host;
  sniff(host, zip_end(), SIZE_MAX, "application/zip");
  sniff(host, "", SIZE_MAX, "application/zip");
  EXPECT_THAT(host.faults, IsEmpty());
}

TEST(Zip, DoesNotTakeWhatAnEntryHoldsForEntriesThatWereDeclared) {
  // An encrypted archive within a stored block of deflate, in plain sight.
  const std::string inner = zip_entry("inner", "xxxxxxxxxxxxxxxx", {.flags = 1});
  RecordedHost host;
  sniff(host, zip_entry("outer", deflated(inner, -15, 0)), SIZE_MAX, "application/zip");
  EXPECT_THAT(host.faults, IsEmpty());
  EXPECT_EQ(host.pieces("zip").back().bytes, inner);
}

TEST(Zip, LooksForNothingInAStoredEntryThatItsOwnLayerLooksInto) {
  const std::string inner = packed("inner", "secret");
  RecordedHost host;
  sniff(host, stored("outer", inner));
  EXPECT_THAT(labelled(host), ElementsAre("entry-name=outer", "entry:outer=" + inner));
  EXPECT_THAT(labelled(host, "zip#2"), IsEmpty());
}

TEST(Zip, LabelsAreShortAndPrintableAndTheNameIsWholeInItsPiece) {
  const std::string name = "\x1b[2J" + std::string(5000, 'n');
  RecordedHost host;
  sniff(host, packed(name, "text"));
  ASSERT_EQ(host.pieces("zip").size(), 2u);
  EXPECT_EQ(host.pieces("zip")[0].bytes, name);
  EXPECT_THAT(host.pieces("zip")[1].piece.label, testing::StartsWith("entry:\\x1b[2Jnnn"));
  EXPECT_LT(host.pieces("zip")[1].piece.label.size(), 200u);
}

TEST(Zip, SurvivesEachCorruptByteAndEachLength) {
  const std::string zip = packed("a.txt", lines(300)) + stored("b", "second") + zip_end();
  for (size_t at = 0; at < zip.size(); ++at) {
    std::string bad = zip;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    RecordedHost host(1 << 20);
    sniff(host, bad, 16, "application/zip");
    sniff(host, zip.substr(0, at), 16);
    ASSERT_TRUE(host.all_ended()) << at;
    ASSERT_LT(host.written, 4000u) << at;
  }
}

TEST(Zip, StopsABombWhenNoMoreIsWanted) {
  const std::string bomb = packed("bomb", std::string(16 << 20, '\0'));
  RecordedHost host(100'000);
  sniff(host, bomb, 4096);
  EXPECT_LE(host.written, 100'000 + kDecodedChunkBytes);
  EXPECT_EQ(host.written_after_no, 0u);
}

}  // namespace
}  // namespace gatehouse::dlp
