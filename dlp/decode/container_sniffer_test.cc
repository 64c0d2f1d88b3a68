#include "dlp/decode/container_sniffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dlp/decode/test_archives.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string random_bytes(size_t size, uint32_t seed = 1) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (size_t at = 0; at + 8 <= size; at += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}

// Whether a piece of this kind, under whatever number, is `text`.
bool has(const RecordedHost& host, const std::string& kind, std::string_view text, uint64_t origin) {
  for (const char* number : {"", "#2", "#3", "#4"}) {
    for (const auto& piece : host.pieces(kind + number)) {
      if (piece.bytes == text && piece.piece.origin == origin) return true;
    }
  }
  return false;
}

struct Row {
  const char* kind;
  std::string bytes;
};
std::vector<Row> one_of_each(std::string_view text) {
  return {{"gzip", gzipped(text)},    {"zlib", zlibbed(text)}, {"zlib", zlibbed(text, 1)},
          {"zlib", zlibbed(text, 9)}, {"zstd", zstded(text)},  {"zip", zip_entry("", deflated(text, -15))}};
}

TEST(ContainerSniffer, FindsWhatIsPackedWhereverItBegins) {
  const std::string text = lines(200);
  for (const auto& row : one_of_each(text)) {
    for (const std::string& junk : {std::string(), std::string("j"), std::string(15, 'j'), std::string(5000, '\x78'),
                                    std::string("\x1f\x8b\x08"), std::string("PKPKPK\x03\x04"), random_bytes(4096)}) {
      for (const std::string& after : {std::string(), random_bytes(100)}) {
        const std::string bytes = junk + row.bytes + after;
        for (const size_t piece : {size_t{1}, size_t{16}, size_t{17}, SIZE_MAX}) {
          RecordedHost host;
          sniff(host, bytes, piece);
          const size_t header = row.kind == std::string("zip") ? 30 : 0;
          EXPECT_TRUE(has(host, row.kind, text, junk.size() + header)) << row.kind << " behind " << junk.size();
          EXPECT_TRUE(host.all_ended());
          EXPECT_THAT(host.faults, IsEmpty());
        }
      }
    }
  }
}

TEST(ContainerSniffer, IsTheSameCutAnywhere) {
  std::string bytes = random_bytes(40);
  for (const auto& row : one_of_each(lines(60))) bytes += row.bytes + "between";
  bytes.resize(2048);
  bytes += tar_entry("a", gzipped("in tar")) + stored("s", zlibbed(lines(40))) + gzipped("one") + gzipped("two");
  RecordedHost whole;
  sniff(whole, bytes);
  EXPECT_EQ(whole.pieces("zlib").size(), 3u);
  EXPECT_EQ(whole.pieces("tar").size(), 2u);
  EXPECT_EQ(whole.pieces("zip").size(), 3u);
  EXPECT_EQ(whole.pieces("gzip").back().bytes, "onetwo");
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    RecordedHost host;
    sniff(host, bytes, SIZE_MAX, {}, cut);
    ASSERT_EQ(host.story(), whole.story()) << cut;
  }
  for (const size_t piece : {1, 2, 3, 7, 15, 16, 17, 100, 511, 512, 513}) {
    RecordedHost host;
    sniff(host, bytes, piece);
    ASSERT_EQ(host.story(), whole.story()) << piece;
  }
}

TEST(ContainerSniffer, LetsNoDecoyHideWhatIsReal) {
  const std::string text = lines(300);
  // Each swallows what comes: a header whose name does not end, stored blocks and entries that claim it.
  const struct {
    const char* name;
    std::string decoy;
  } rows[] = {
      {"gzip in its name", std::string("\x1f\x8b\x08\x08", 4) + std::string(20, 'n')},
      {"three of them",
       [] {
         std::string all;
         for (int i = 0; i < 3; ++i) all += std::string("\x1f\x8b\x08\x08", 4) + std::string(20, 'n');
         return all;
       }()},
      {"zstd in a raw block", std::string("\x28\xb5\x2f\xfd\x00\x58\x00\xff\x0f", 9)},
      {"zip that deflates", zip_entry("decoy", std::string("\x01\xff\xff\x00\x00", 5))},
  };
  for (const auto& row : rows) {
    RecordedHost host;
    sniff(host, row.decoy + gzipped(text), 64);
    EXPECT_TRUE(has(host, "gzip", text, row.decoy.size())) << row.name;
    EXPECT_THAT(host.faults, IsEmpty()) << row.name;
  }
  // One that hands the real one on as it is: the layer it goes to finds it.
  const std::string real = gzipped(text);
  RecordedHost host;
  sniff(host, zip_entry("decoy", "", {.method = 0, .size = 0x7fffffff}) + real);
  EXPECT_EQ(host.pieces("zip").back().bytes, real);
}

TEST(ContainerSniffer, TakesMoreAtOnceThanItCanFollowForAFault) {
  std::string bytes;
  for (int i = 0; i < 7; ++i) bytes += std::string("\x1f\x8b\x08\x08", 4) + std::string(20, 'n');
  for (const size_t piece : {size_t{1}, SIZE_MAX}) {
    RecordedHost host;
    sniff(host, bytes + gzipped("secret"), piece);
    EXPECT_THAT(host.faults, ElementsAre("gzip: more at once than can be followed"));
  }
}

TEST(ContainerSniffer, LeavesHeadersOfZipAloneThatNoProgramCouldOpen) {
  // As a list of file types has them, one behind the other.
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += std::string("PK\3\4\n1>30=\0\x08mimetype\n2>38=\0(application/x\n", 43);
  for (const size_t piece : {size_t{1}, SIZE_MAX}) {
    RecordedHost host;
    sniff(host, bytes, piece);
    EXPECT_THAT(host.faults, IsEmpty());
    EXPECT_EQ(host.outputs_asked, 0u);
  }
}

TEST(ContainerSniffer, FollowsOnlyFourStreamsOfZlibThatComeToSomething) {
  // Five streams, each in a stored block of the one before, all within the first one's bytes.
  std::string bytes = "the innermost, which is a text of its own and long enough";
  for (int i = 0; i < 6; ++i) bytes = zlibbed(std::string(40, '\x80') + bytes, 0);
  for (const size_t piece : {size_t{1}, SIZE_MAX}) {
    RecordedHost host;
    sniff(host, bytes, piece);
    EXPECT_THAT(host.faults, ElementsAre("zlib: more at once than can be followed"));
    EXPECT_TRUE(host.all_ended());
  }
}

TEST(ContainerSniffer, SeesNothingInRandomBytesNorInText) {
  RecordedHost random;
  sniff(random, random_bytes(32 << 20), 65536);
  EXPECT_THAT(random.faults, IsEmpty());
  EXPECT_LT(random.written, 16'384u);  // zlib by chance, a few bytes each
  EXPECT_LT(random.pieces("zlib").size(), 64u);
  EXPECT_THAT(random.pieces("gzip"), IsEmpty());
  EXPECT_THAT(random.pieces("tar"), IsEmpty());

  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "x^2 + x^" + std::to_string(i) + " PK 0000644 (x^2x^2x^2x^2x^2x^2)\n";
  for (const std::string& benign : {text, std::string(100'000, 'x'), std::string(100'000, '\x1f')}) {
    RecordedHost host;
    sniff(host, benign, 65536);
    EXPECT_EQ(host.outputs_asked, 0u) << benign.substr(0, 20);
    EXPECT_THAT(host.faults, IsEmpty());
  }
}

TEST(ContainerSniffer, GivesWhatThereIsOfAStreamThatIsCutShortOrCorrupt) {
  const std::string text = lines(3000);
  for (const auto& row : one_of_each(text)) {
    if (row.kind == std::string("zstd")) continue;  // it has one block, which is decoded whole or not at all
    RecordedHost cut;
    sniff(cut, row.bytes.substr(0, row.bytes.size() / 2), 100);
    EXPECT_GT(cut.text(row.kind).size(), text.size() / 4) << row.kind;
    EXPECT_TRUE(text.starts_with(cut.text(row.kind))) << row.kind;
    std::string corrupt = row.bytes;
    corrupt.back() = static_cast<char>(corrupt.back() ^ 1);
    RecordedHost host;
    sniff(host, corrupt, 100);
    EXPECT_GT(host.text(row.kind).size(), text.size() - 32) << row.kind;
    EXPECT_THAT(host.faults, IsEmpty()) << row.kind;
  }
}

TEST(ContainerSniffer, DecodesWhatIsDeclaredOnce) {
  const struct {
    const char* type;
    const char* encoding;
    const char* kind;
    std::string bytes;
  } rows[] = {
      {"text/plain", "gzip", "gzip", gzipped("secret text")},
      {"text/plain", "deflate", "deflate", zlibbed("secret text")},
      {"text/plain", "br", "br", brotlied("secret text")},
      {"text/plain", "zstd", "zstd", zstded("secret text")},
      {"application/gzip", "", "gzip", gzipped("secret text")},
      {"application/zstd", "", "zstd", zstded("secret text")},
  };
  for (const auto& row : rows) {
    RecordedHost host;
    ContainerSniffer sniffer(host);
    sniffer.declare({0, {}, row.type, row.encoding});
    sniffer.write(row.bytes);
    sniffer.end();
    EXPECT_EQ(host.text(row.kind), "secret text") << row.encoding;
    EXPECT_EQ(host.outputs_asked, 1u) << row.encoding;
    EXPECT_THAT(host.faults, IsEmpty()) << row.encoding;
    EXPECT_EQ(host.pieces(row.kind)[0].piece.content_type, *row.encoding ? "text/plain" : "");
  }
}

TEST(ContainerSniffer, LooksBehindWhatWasDeclared) {
  RecordedHost host;
  ContainerSniffer sniffer(host);
  sniffer.declare({0, {}, {}, "gzip"});
  sniffer.write(gzipped("declared") + "junk" + gzipped("hidden"));
  sniffer.end();
  EXPECT_EQ(host.text("gzip"), "declared|hidden");
  EXPECT_THAT(host.faults, ElementsAre("gzip: bytes after its end"));
}

TEST(ContainerSniffer, FaultsWhatIsDeclaredToBeOfAKindThatItCannotOpen) {
  for (const char* type :
       {"application/x-xz", "Application/X-Bzip2; a=b", "application/x-7z-compressed", "application/vnd.rar"}) {
    RecordedHost host;
    sniff(host, "whatever it is", 3, type);
    EXPECT_THAT(host.faults, ElementsAre("archive: of a kind that cannot be looked into")) << type;
    RecordedHost empty;
    sniff(empty, "", 3, type);
    EXPECT_THAT(empty.faults, IsEmpty());
  }
}

TEST(ContainerSniffer, DeclarationsHoldForOnePiece) {
  RecordedHost host;
  ContainerSniffer sniffer(host);
  sniffer.declare({0, {}, {}, "gzip"});
  sniffer.write(gzipped("first piece"));
  sniffer.boundary();
  sniffer.write("plain, and no fault");
  sniffer.boundary();
  sniffer.declare({0, {}, "application/zip", {}});
  sniffer.boundary();
  sniffer.write("plain again, long enough for a header");
  sniffer.boundary();
  sniffer.declare({0, {}, {}, "gzip"});
  sniffer.write(gzipped("last piece"));
  sniffer.end();
  EXPECT_EQ(host.text("gzip"), "first piece|last piece");
  EXPECT_EQ(host.pieces("gzip")[1].piece.origin,
            gzipped("first piece").size() + std::strlen("plain, and no faultplain again, long enough for a header"));
  EXPECT_THAT(host.faults, IsEmpty());
}

TEST(ContainerSniffer, LetsNothingSpanABoundaryAndCountsOn) {
  const std::string gzip = gzipped(lines(500));
  RecordedHost host;
  ContainerSniffer sniffer(host);
  sniffer.write(gzip.substr(0, 2));
  sniffer.boundary();
  sniffer.write(gzip.substr(2));
  sniffer.boundary();
  sniffer.write("\x48\x89" + zlibbed(lines(100)).substr(2));
  sniffer.end();
  EXPECT_THAT(host.pieces("gzip"), IsEmpty());
  ASSERT_EQ(host.pieces("zlib").size(), 1u);
  EXPECT_EQ(host.pieces("zlib")[0].piece.origin, gzip.size());
  sniffer.write(gzip);
  sniffer.end();
  ASSERT_EQ(host.pieces("gzip").size(), 1u);
  EXPECT_EQ(host.pieces("gzip")[0].piece.origin, 0u);
}

TEST(ContainerSniffer, KnowsOtherZlibHeadersOnlyAtTheStartOfAPiece) {
  const std::string pdf = "\x48\x89" + zlibbed(lines(100)).substr(2);
  RecordedHost start, later;
  sniff(start, pdf);
  sniff(later, "junk" + pdf);
  EXPECT_EQ(start.text("zlib"), lines(100));
  EXPECT_THAT(later.pieces("zlib"), IsEmpty());
}

TEST(ContainerSniffer, LeavesAPngsPixelsAlone) {
  const std::string png = std::string("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16) + std::string(17, '\1') +
                          std::string("\0\0\x10\0IDAT", 8) + zlibbed(lines(5000));
  for (const size_t piece : {size_t{1}, size_t{20}, SIZE_MAX}) {
    RecordedHost host;
    sniff(host, png, piece);
    EXPECT_EQ(host.outputs_asked, 0u) << piece;
    RecordedHost not_png;
    sniff(not_png, "x" + png, piece);
    EXPECT_EQ(not_png.text("zlib"), lines(5000)) << piece;
  }
}

TEST(ContainerSniffer, OpensEveryLevelOfANestOnce) {
  std::string bytes = "the secret";
  for (int depth = 0; depth < 6; ++depth) bytes = gzipped(bytes);
  for (int depth = 0; depth < 6; ++depth) {
    RecordedHost host;
    sniff(host, bytes);
    ASSERT_EQ(host.pieces("gzip").size(), 1u) << depth;
    bytes = host.pieces("gzip")[0].bytes;
  }
  EXPECT_EQ(bytes, "the secret");
}

TEST(ContainerSniffer, StopsAtOnceWhenTheBudgetOrTheDepthIsSpent) {
  const std::string text(8 << 20, 'a');
  for (const auto& row : one_of_each(text)) {
    RecordedHost host(100'000);
    sniff(host, row.bytes, 512);
    EXPECT_LE(host.written, 100'000 + kDecodedChunkBytes) << row.kind;
    EXPECT_EQ(host.written_after_no, 0u) << row.kind;
    EXPECT_TRUE(host.all_ended()) << row.kind;
    RecordedHost deep(SIZE_MAX, true);
    sniff(deep, row.bytes, 512);
    EXPECT_THAT(deep.faults, IsEmpty()) << row.kind;
    EXPECT_LE(deep.outputs_asked, 2u) << row.kind;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
