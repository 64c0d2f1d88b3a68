// TextRunFinder::find() for eight times 64 bytes at once.
#pragma once

#include <cstddef>
#include <string_view>

#include "dlp/decode/byte_class.h"
#include "dlp/decode/simd.h"

namespace gatehouse::dlp {

#if GATEHOUSE_AVX2
// Whether each byte is text by itself.
bool is_text_avx512(std::string_view bytes);
// In up to kMaskedBytes, behind the 64 that are at `before`; those in turn follow upon nothing. `text`: as
// is_text_avx512() says. Sets ends.size too.
void find_text_runs_avx512(const char* before, std::string_view bytes, bool text, Mask& ends);
#endif

}  // namespace gatehouse::dlp
