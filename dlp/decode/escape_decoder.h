// A decoder of text with escapes in it: short sequences that stand for something else, each by itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "dlp/decode/stretches.h"
#include "dlp/decode/text_decoder.h"

namespace gatehouse::dlp {

// What an escape stands for.
struct Escape {
  size_t used = 0;  // characters of the input
  size_t size = 0;  // of `bytes`; an escape may stand for nothing
  char bytes[8];

  void add(char byte) { bytes[size++] = byte; }
  // In UTF-8; what is no character as U+FFFD.
  void add_character(uint32_t character);
};

enum class EscapeKind {
  none,      // the character stands for itself
  complete,  // an escape
  cut,       // it cannot be told without more of the text
};

class EscapeDecoder : public TextDecoder {
 public:
  void write(std::string_view bytes) final;
  void skip(uint64_t bytes) final;
  void boundary() final;
  void end() final;

 protected:
  EscapeDecoder(DecoderHost& host, std::string kind, char first = 0)
      : stretches_(host, std::move(kind)), first_(first) {}

  // Where the next escape may begin in `text`, at `at` or behind; text.size() or more: nowhere. Not asked when all
  // begin with `first`. What depends on the characters behind must be found although they are not there yet.
  virtual size_t find(std::string_view text, size_t at) const;
  // Reads the escape that `text` begins with, which is at `position` of the input. With kMaxEscapeBytes, or with
  // nothing more to come, it is never cut.
  virtual EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const = 0;

  const Stretches& stretches() const { return stretches_; }

 private:
  size_t scan(std::string_view text, size_t limit, uint64_t position, bool nothing_more, size_t at = 0);
  size_t scan_signs(std::string_view text, size_t limit, uint64_t position, bool nothing_more, size_t at);

  Stretches stretches_;
  const char first_;
  size_t cut_size_ = 0;
  char cut_[kMaxEscapeBytes];  // the input's end, which may be the beginning of an escape
};

}  // namespace gatehouse::dlp
