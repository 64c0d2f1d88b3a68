// Where a compressed stream or a zip entry may begin.
#pragma once

#include <cstddef>
#include <string_view>

namespace gatehouse::dlp {

inline constexpr size_t kMagicBytes = 16;  // decide what it is; nothing shorter holds a secret

enum class Magic { none, gzip, zlib, zstd, zip };

// What the first kMagicBytes of `bytes` can begin. zlib's two bytes alone say little ("x^" is one): a deflate block
// must be able to follow, in bytes that are not all text.
Magic magic_of(std::string_view bytes);
// Likewise of zlib alone, with any header it can have; magic_of() knows those with the usual 32 KiB window.
bool may_be_zlib(std::string_view bytes);

// The first place at `from` or after it with the first two bytes of some magic; npos: none. As fast as memory when
// there is nothing.
size_t find_magic_pair(std::string_view bytes, size_t from);

}  // namespace gatehouse::dlp
