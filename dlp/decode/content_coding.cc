#include "dlp/decode/content_coding.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/codec/brotli.h"
#include "common/codec/inflate.h"
#include "common/codec/zstd.h"
#include "dlp/decode/coded_stream.h"
#include "dlp/decode/refusal.h"

namespace gatehouse::dlp {

namespace {

// What senders write though nothing is compressed; the last two name protocols of signed uploads.
constexpr std::array<std::string_view, 9> kUnchanged = {"identity", "none", "binary",  "7bit",       "8bit",
                                                        "utf-8",    "utf8", "amz-1.0", "aws-chunked"};
constexpr std::array<std::string_view, 2> kGuessed = {"base64", "quoted-printable"};

bool contains(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string name;
    for (const char c : list.substr(0, comma)) {
      if (c == ' ' || c == '\t') continue;
      name += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    if (!name.empty() && !contains(kUnchanged, name)) names.push_back(std::move(name));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

struct Coding {
  std::string_view kind;
  std::unique_ptr<Codec> codec;  // null: unknown
};

Coding open(std::string_view name) {
  if (name == "gzip" || name == "x-gzip") return {"gzip", std::make_unique<Inflate>(Inflate::Format::gzip)};
  if (name == "deflate") return {"deflate", std::make_unique<Inflate>(Inflate::Format::deflate)};
  if (name == "br") return {"br", std::make_unique<Brotli>()};
  if (name == "zstd") return {"zstd", std::make_unique<Zstd>(kContentZstdWindowLog)};
  return {};
}

ContentCoding refused(DecoderHost& host, std::string_view reason) {
  const std::string kind = "content-encoding";
  return {kind, std::make_unique<Refusal>(host, kind, reason)};
}

}  // namespace

ContentCoding follow_content_coding(DecoderHost& host, std::string_view codings, std::string_view content_type,
                                    uint64_t origin) {
  auto names = split(codings);
  if (names.empty() || contains(kGuessed, names.back())) return {};
  if (names.size() > kMaxContentCodings) return refused(host, "more encodings than are undone");
  auto coding = open(names.back());
  if (!coding.codec) return refused(host, "an encoding that cannot be undone");
  names.pop_back();
  Piece piece;
  piece.origin = origin;
  piece.content_type = content_type;
  for (const auto& name : names) piece.content_encoding += (piece.content_encoding.empty() ? "" : ", ") + name;
  const std::string kind(coding.kind);
  return {kind, std::make_unique<CodedStream>(host, kind, std::move(coding.codec), std::move(piece), Trust::declared)};
}

}  // namespace gatehouse::dlp
