// What must hold of every decoder: however its input is cut, the same comes out; it closes what it opens, tells the
// truth about copies, and stops when told to.
#pragma once

#include <cstdlib>
#include <functional>
#include <string_view>

#include "dlp/decode/recorded_host.h"

namespace gatehouse::dlp {

inline constexpr size_t kFuzzOutputBytes = 1 << 20;  // taken of one input
inline constexpr size_t kFuzzOvershoot = 64 * 1024;  // one chunk, and what was held

inline void require(bool holds) {
  if (!holds) std::abort();
}

// Gives `bytes` in pieces of `piece` to what `decode` makes: a function that takes bytes until it is given an empty
// view, which is the end.
using DecodeInto = std::function<void(DecoderHost& host, const std::function<std::string_view()>& next)>;

inline void decode_in_pieces(RecordedHost& host, std::string_view bytes, size_t piece, const DecodeInto& decode) {
  size_t at = 0;
  decode(host, [&] {
    const auto part = bytes.substr(at, piece);
    at += part.size();
    return part;
  });
  require(host.all_ended());
  require(host.written_after_no == 0);
  require(host.written <= kFuzzOutputBytes + kFuzzOvershoot);
  require(host.copies_are_of(bytes));
}

inline void require_the_same_of_all_cuts(std::string_view bytes, size_t some_piece, const DecodeInto& decode) {
  RecordedHost whole(kFuzzOutputBytes);
  decode_in_pieces(whole, bytes, bytes.size() + 1, decode);
  for (const size_t piece : {size_t{1}, some_piece + 2}) {
    RecordedHost cut(kFuzzOutputBytes);
    decode_in_pieces(cut, bytes, piece, decode);
    // Where several layers share what is left of a budget, which of them gets it depends on who comes first.
    const bool spent = whole.written >= kFuzzOutputBytes || cut.written >= kFuzzOutputBytes;
    require(spent || cut.story() == whole.story());
  }
}

}  // namespace gatehouse::dlp
