#include "dlp/decode/content_coding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/codec/test_encoders.h"
#include "dlp/decode/recorded_host.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Gives all of `bytes` in pieces to what undoes `codings`, as long as it wants them.
void give(RecordedHost& host, std::string_view codings, std::string_view bytes, size_t piece = SIZE_MAX) {
  const auto coding = follow_content_coding(host, codings, "text/plain");
  ASSERT_TRUE(coding.follower) << codings;
  bool open = true;
  for (size_t at = 0; at < bytes.size() && open;) {
    const auto part = bytes.substr(at, piece);
    open = coding.follower->feed(part);
    at += part.size();
  }
  if (open) coding.follower->finish();
}

TEST(ContentCoding, UndoesEachCodingIntoTheLayerOfItsKind) {
  const struct {
    const char* codings;
    const char* kind;
    std::string bytes;
  } rows[] = {
      {"gzip", "gzip", gzipped("secret")},
      {"x-gzip", "gzip", gzipped("secret")},
      {" GZip ", "gzip", gzipped("secret")},
      {"gzip,,identity", "gzip", gzipped("secret")},
      {"gzip", "gzip", gzipped("sec") + gzipped("ret")},
      {"deflate", "deflate", zlibbed("secret")},
      {"deflate", "deflate", deflated("secret", -15)},
      {"br", "br", brotlied("secret")},
      {"zstd", "zstd", zstded("secret")},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      RecordedHost host;
      give(host, row.codings, row.bytes, piece);
      EXPECT_EQ(host.text(row.kind), "secret") << row.codings;
      EXPECT_THAT(host.faults, IsEmpty()) << row.codings;
      ASSERT_EQ(host.pieces(row.kind).size(), 1u) << row.codings;
      EXPECT_TRUE(host.pieces(row.kind)[0].ended);
      EXPECT_EQ(host.pieces(row.kind)[0].piece.content_type, "text/plain");
      EXPECT_EQ(host.pieces(row.kind)[0].piece.content_encoding, "");
    }
  }
}

TEST(ContentCoding, UndoesTheLastFirstAndLeavesTheOthersToTheChildLayer) {
  std::string bytes = brotlied(zstded(zlibbed(gzipped("secret"))));
  std::string codings = "gzip, deflate, zstd, identity, br";
  for (const std::string kind : {"br", "zstd", "deflate", "gzip"}) {
    RecordedHost host;
    give(host, codings, bytes);
    EXPECT_THAT(host.faults, IsEmpty()) << kind;
    ASSERT_EQ(host.pieces(kind).size(), 1u) << kind;
    bytes = host.pieces(kind)[0].bytes;
    codings = host.pieces(kind)[0].piece.content_encoding;
  }
  EXPECT_EQ(bytes, "secret");
  EXPECT_EQ(codings, "");
}

TEST(ContentCoding, HasNothingToDoForOtherNamesOfIdentityAndForWhatIsLookedForAnyway) {
  RecordedHost host;
  for (const char* codings : {"", " ", ",", "identity", "Identity, none", "utf-8", "aws-chunked", "7bit", "base64",
                              "gzip, base64", "quoted-printable"}) {
    EXPECT_FALSE(follow_content_coding(host, codings, {}).follower) << codings;
  }
  EXPECT_EQ(host.outputs_asked, 0u);
}

TEST(ContentCoding, IsAFaultIfItCannotBeUndone) {
  const std::string gzip = gzipped(lines(5000));
  std::string corrupt = gzip;
  corrupt[gzip.size() / 2] ^= 0x55;
  corrupt[gzip.size() - 6] ^= 0x55;
  const struct {
    const char* codings;
    std::string bytes;
    testing::Matcher<std::string> fault;
  } rows[] = {
      {"compress", "x", "content-encoding: an encoding that cannot be undone"},
      {"gzip, made-up", "x", "content-encoding: an encoding that cannot be undone"},
      {"gzip, gzip, gzip, gzip, gzip", "x", "content-encoding: more encodings than are undone"},
      {"gzip", "plain text", "gzip: incorrect header check"},
      {"gzip", corrupt, testing::StartsWith("gzip: in")},
      {"gzip", gzip.substr(0, gzip.size() - 1), "gzip: cut short"},
      {"gzip", gzip + "junk", "gzip: bytes after its end"},
      {"gzip", gzip + "\x1f", "gzip: cut short"},
      {"deflate", "plain text, which is no deflate", testing::StartsWith("deflate: invalid")},
      {"deflate", deflated("text", -15) + "junk", "deflate: bytes after its end"},
      {"br", brotlied("text") + "junk", "br: bytes after its end"},
      {"br", "\x11\x1e\x01", "br: corrupt data"},
      {"zstd", zstded("text") + "junk", "zstd: bytes after its end"},
      {"zstd", zstded("text").substr(0, 12), "zstd: cut short"},
      {"zstd", zstded("text", 24), "zstd: needs more memory than allowed"},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{1}, SIZE_MAX}) {
      RecordedHost host;
      give(host, row.codings, row.bytes, piece);
      EXPECT_THAT(host.faults, ElementsAre(row.fault)) << row.codings << " in pieces of " << piece;
      EXPECT_TRUE(host.all_ended());
    }
  }
}

TEST(ContentCoding, FindsNoFaultWithNoBytesAtAll) {
  for (const char* codings : {"gzip", "deflate", "br", "zstd", "compress"}) {
    RecordedHost host;
    give(host, codings, "");
    EXPECT_THAT(host.faults, IsEmpty()) << codings;
    EXPECT_EQ(host.outputs_asked, 0u) << codings;
  }
}

TEST(ContentCoding, GivesUpInSilenceWhenTheBudgetOrTheDepthIsSpent) {
  const std::string text(1 << 20, 'a');
  for (const auto& [codings, bytes] :
       {std::pair{"gzip", gzipped(text)}, std::pair{"br", brotlied(text)}, std::pair{"zstd", zstded(text)}}) {
    RecordedHost host(50'000);
    give(host, codings, bytes, 16);
    EXPECT_LE(host.written, 50'000 + 64 * 1024u) << codings;
    EXPECT_EQ(host.written_after_no, 0u) << codings;
    EXPECT_THAT(host.faults, IsEmpty()) << codings;
    EXPECT_TRUE(host.all_ended());

    RecordedHost deep(SIZE_MAX, true);
    give(deep, codings, bytes, 16);
    EXPECT_EQ(deep.outputs_asked, 1u) << codings;
    EXPECT_THAT(deep.faults, IsEmpty()) << codings;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
