// Secrets in containers, through everything that a scan has: one row, one disguise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/decode/test_archives.h"
#include "dlp/inspection.h"
#include "dlp/literal_reader.h"

namespace gatehouse::dlp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kToken = "ghp_" + std::string(36, 'A');

std::string fingerprint(std::string_view secret) { return "fp" + std::to_string(secret.size()); }

std::vector<Finding> scan(const PartInfo& part, std::string_view bytes, size_t piece = SIZE_MAX,
                          Direction direction = Direction::out, const policy::Limits& limits = {}) {
  LiteralSource source({kToken});
  Inspector inspector{source, fingerprint, [] { return std::chrono::nanoseconds(0); }};
  Inspection inspection(inspector, {"https", direction, "api.example.com", "trace"}, limits);
  inspection.part(part);
  for (size_t at = 0; at < bytes.size();) {
    const auto now = bytes.substr(at, piece);
    inspection.write(now);
    at += now.size();
  }
  inspection.finish();
  return inspection.take_findings();
}

std::string form(std::string_view headers, std::string_view content) {
  return "--XX\r\nContent-Disposition: form-data; " + std::string(headers) + "\r\n\r\n" + std::string(content) +
         "\r\n--XX--\r\n";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i) text += at + i <= bytes.size() ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

std::string base32(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 5) {
    uint32_t five = 0;
    for (size_t at = bit; at < bit + 5; ++at) {
      const bool set = at / 8 < bytes.size() && (static_cast<uint8_t>(bytes[at / 8]) >> (7 - at % 8) & 1) != 0;
      five = five << 1 | (set ? 1 : 0);
    }
    text += alphabet[five];
  }
  return text;
}

TEST(Containers, AreSeenThroughAndNamedInThePath) {
  const std::string text = "key: " + kToken + "\n" + lines(200);
  constexpr const char* kForm = "multipart/form-data; boundary=XX";
  std::string quoted = text;
  quoted.replace(quoted.find("ghp_"), 4, "gh=70_=\r\n");
  const struct {
    const char* name;
    const char* type;
    const char* encoding;
    std::string body;
    std::string path;
    std::string location;
  } rows[] = {
      {"declared gzip", "text/plain", "gzip", gzipped(text), "gzip", "body"},
      {"declared deflate", "", "deflate", deflated(text, -15), "deflate", "body"},
      {"declared br", "", "br", brotlied(text), "br", "body"},
      {"declared zstd", "", "zstd", zstded(text), "zstd", "body"},
      {"two codings", "", "br, gzip", gzipped(brotlied(text)), "gzip>br", "body"},
      {"a form that is encoded as a whole", kForm, "gzip", gzipped(form("name=a", lines(2000) + zlibbed(text))),
       "gzip>form>zlib", "body/form:a"},
      {"gzip undeclared", "application/octet-stream", "", gzipped(text), "gzip", "body"},
      {"gzip behind junk", "", "", "junk" + gzipped(text), "gzip", "body"},
      {"gzip in gzip in gzip", "", "", gzipped(lines(3000) + gzipped(lines(2000) + gzipped(text))), "gzip>gzip>gzip",
       "body"},
      // Deflate stores what it cannot compress, and stored it can be read as if nothing were round it.
      {"gzip stored in gzip", "", "", gzipped(gzipped(text)), "gzip", "body"},
      {"zlib", "", "", zlibbed(text), "zlib", "body"},
      {"zstd", "", "", zstded(text), "zstd", "body"},
      {"zip", "application/zip", "", packed("dir/a.txt", text) + zip_end(), "zip", "body/entry:dir/a.txt"},
      {"zip stored: in plain where it stands", "", "", stored("a", text), "", "body"},
      {"zip in zip", "", "", packed("outer.zip", packed("a", text)), "zip>zip", "body/entry:outer.zip/entry:a"},
      {"tar.gz", "application/gzip", "", gzipped(tar_entry("a", text) + tar_end()), "gzip", "body"},
      {"gzip in tar", "", "", tar_entry("a.gz", gzipped(text)) + tar_end(), "tar>gzip", "body/entry:a.gz"},
      {"gzip in a form's file", kForm, "", form("name=a; filename=\"a.gz\"", gzipped(text)), "form>gzip",
       "body/file:a.gz"},
      {"a form's file in quoted-printable", kForm, "", form("name=a; filename=a", quoted), "qp", "body"},
      {"base32 of zlib in text", "", "", "some: " + base32(zlibbed(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") + " more",
       "base32>zlib", "body"},
      {"base32 of zlib in lower case", "", "", base32(zlibbed(text), "abcdefghijklmnopqrstuvwxyz234567"), "base32>zlib",
       "body"},
      {"base64 of gzip in JSON", "application/json", "", "{\"data\": \"" + base64(gzipped(text)) + "\"}", "base64>gzip",
       "body"},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{1}, size_t{13}, SIZE_MAX}) {
      const auto findings = scan({"body", row.type, row.encoding}, row.body, piece);
      ASSERT_FALSE(findings.empty()) << row.name << " in pieces of " << piece;
      EXPECT_EQ(findings[0].rule, "literal-0") << row.name << ": " << findings[0].detail;
      EXPECT_EQ(findings[0].path, row.path) << row.name;
      EXPECT_EQ(findings[0].location, row.location) << row.name;
      EXPECT_EQ(findings.size(), 1u) << row.name << ": " << findings.back().path << findings.back().location;
    }
  }
}

TEST(Containers, AreSeenThroughCutAnywhere) {
  const std::string body = form("name=a; filename=\"a.tgz\"", gzipped(tar_entry("a", "key " + kToken) + tar_end()));
  for (size_t cut = 1; cut < body.size(); ++cut) {
    const auto findings = scan({"body", "multipart/form-data; boundary=XX", {}}, body, cut);
    ASSERT_EQ(findings.size(), 1u) << cut;
    EXPECT_EQ(findings[0].path, "form>gzip") << cut;
  }
}

TEST(Containers, NamesCountAsWellAsContents) {
  constexpr const char* kForm = "multipart/form-data; boundary=XX";
  EXPECT_THAT(scan({"body", "application/zip", {}}, packed(kToken, "text")), testing::SizeIs(1));
  EXPECT_THAT(scan({"body", kForm, {}}, form("name=a; filename=\"" + kToken + "\"", "text")), testing::SizeIs(1));
  EXPECT_THAT(scan({"body", kForm, {}}, form("name=\"" + kToken + "\"", "text")), testing::SizeIs(1));
}

TEST(Containers, AreAFaultIfTheyAreNotWhatTheyAreDeclaredToBe) {
  const std::string gzip = gzipped(lines(5000));
  std::string corrupt = gzip;
  for (size_t i = 30; i < 60; ++i) corrupt[i] = static_cast<char>(~corrupt[i]);
  std::string wrong_sum = gzip;
  wrong_sum[wrong_sum.size() - 8] = static_cast<char>(~wrong_sum[wrong_sum.size() - 8]);
  const struct {
    const char* type;
    const char* encoding;
    std::string body;
    const char* detail;
  } rows[] = {
      {"text/plain", "gzip", "plain text", "incorrect header check"},
      {"text/plain", "gzip", gzip.substr(0, 100), "cut short"},
      {"text/plain", "gzip", corrupt, ""},
      {"text/plain", "gzip", wrong_sum, "incorrect data check"},
      {"text/plain", "zstd", "\x28\xb5\x2f\xfd\xe0" + little(uint64_t{10} << 30, 8) + "not ten gigabytes", ""},
      {"text/plain", "gzip", gzip + "junk", "bytes after its end"},
      {"text/plain", "compress", "whatever", "an encoding that cannot be undone"},
      {"text/plain", "br, gzip", gzipped("no brotli, and not the beginning of it"), ""},
      {"application/zip", "", zip_entry("a", "xxxxxxxx", {.flags = 1}), "an encrypted entry"},
      {"application/x-7z-compressed", "", "7z\xbc\xaf\x27\x1c", "of a kind that cannot be looked into"},
  };
  for (const auto& row : rows) {
    const auto out = scan({"body", row.type, row.encoding}, row.body);
    ASSERT_EQ(out.size(), 1u) << row.detail;
    EXPECT_EQ(out[0].rule, "decode-error") << row.detail;
    EXPECT_EQ(out[0].severity, FindingAction::deny) << row.detail;
    EXPECT_THAT(out[0].detail, HasSubstr(row.detail));
    const auto in = scan({"body", row.type, row.encoding}, row.body, SIZE_MAX, Direction::in);
    ASSERT_EQ(in.size(), 1u) << row.detail;
    EXPECT_EQ(in[0].severity, FindingAction::warn) << row.detail;
  }
}

// What is there is read, and the rest is not waited for, nor is room made for it.
TEST(Containers, MayDeclareAnyLength) {
  constexpr uint64_t kTenGigabytes = uint64_t{10} << 30;
  const std::string zip64 = little(1, 2) + little(16, 2) + little(kTenGigabytes, 8) + little(kTenGigabytes, 8);
  const struct {
    const char* name;
    std::string body;
    const char* path;
  } rows[] = {
      {"a stored entry", zip_entry("a", kToken, {.method = 0, .size = UINT32_MAX, .extra = zip64}), ""},
      {"a packed entry", zip_entry("a", deflated(kToken, -15), {.size = UINT32_MAX, .extra = zip64}), "zip"},
      {"an entry of tar", tar_header("a", kTenGigabytes) + kToken, ""},
      {"a tar in gzip", gzipped(tar_header("a", kTenGigabytes) + kToken), "gzip"},
      {"a number of hex digits", "a000000000\r\n" + kToken, ""},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {size_t{5}, SIZE_MAX}) {
      const auto findings = scan({"body", {}, {}}, row.body, piece);
      ASSERT_FALSE(findings.empty()) << row.name;
      EXPECT_EQ(findings[0].rule, "literal-0") << row.name << ": " << findings[0].detail;
      EXPECT_EQ(findings[0].path, row.path) << row.name;
    }
  }
}

// Which decodes in many ways, none of them to much.
TEST(Containers, AreNotMadeOfOneDigitOverAndOver) {
  for (const char digit : {'3', '0', '7'}) {
    const auto findings = scan({"body", {}, {}}, std::string(100'000, digit));
    EXPECT_TRUE(findings.empty()) << digit << ": " << findings[0].detail;
  }
}

TEST(Containers, AreDeniedWhenTheyAreBombsOrNestTooDeep) {
  const std::string zeros(4 << 20, '\0');
  policy::Limits limits;
  limits.decoded_bytes = 16 << 20;
  const std::string gzip = gzipped(zeros), zip = packed("zeros", zeros);
  std::string nest = kToken;
  for (int depth = 0; depth < 20; ++depth) nest = gzipped(nest);
  const struct {
    const char* name;
    PartInfo part;
    std::string body;
    const char* detail;
  } rows[] = {
      {"gzip", {"body", {}, "gzip"}, gzip + gzip + gzip + gzip + gzip, "decoded_bytes"},
      {"zip", {"body", {}, {}}, zip + zip + zip + zip + zip, "decoded_bytes"},
      {"a nest", {"body", {}, {}}, nest, "decode_depth"},
  };
  for (const auto& row : rows) {
    const auto findings = scan(row.part, row.body, SIZE_MAX, Direction::out, limits);
    ASSERT_FALSE(findings.empty()) << row.name;
    EXPECT_EQ(findings[0].rule, "decode-budget") << row.name;
    EXPECT_THAT(findings[0].detail, HasSubstr(row.detail)) << row.name;
    EXPECT_EQ(findings[0].severity, FindingAction::deny) << row.name;
  }
}

}  // namespace
}  // namespace gatehouse::dlp
