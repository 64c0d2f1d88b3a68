// What a header says a piece is encoded as: Content-Encoding (RFC 9110 section 8.4) and Content-Transfer-Encoding.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxContentCodings = 4;  // that change anything; more are a fault

struct ContentCoding {
  std::string kind;                    // of the child layer: "gzip", "deflate", "br", "zstd"
  std::unique_ptr<Follower> follower;  // null: nothing is to be undone here
};

// Undoes the last of `codings` ("gzip, br") into the child layer of its kind. The piece there has the other codings as
// its content_encoding and `content_type` as its content_type, so that the child layer goes on. Nothing is to be
// undone of "identity" and other names for it, nor of "base64" and "quoted-printable", which are looked for in every
// layer anyway. A coding that nobody here can undo is a fault at the first byte.
// `origin` is where the bytes begin in the layer.
ContentCoding follow_content_coding(DecoderHost& host, std::string_view codings, std::string_view content_type,
                                    uint64_t origin = 0);

}  // namespace gatehouse::dlp
