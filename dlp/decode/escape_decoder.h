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
  void take(const TextBlock& block) final;
  bool wants(const TextBlock& block) const final;
  void skip(uint64_t bytes) final;
  void boundary() final;
  void end() final;

 protected:
  // All of its escapes begin with `sign`.
  EscapeDecoder(DecoderHost& host, std::string kind, Sign sign)
      : host_(host), stretches_(host, std::move(kind)), sign_(sign) {}

  // Where escapes may begin in a block that has the sign: where it stands, or what of that is left in `some`. What
  // depends on the characters behind the block must be found although they are not there yet.
  virtual const Mask& find(const TextBlock& block, Mask& some) const;
  // Of the escapes that begin in the first `size` bytes of `text`, 64 at most, at `signs` or where an escape before
  // leaves something of them, all are two bytes that stand for one: reads them. Otherwise false.
  struct Word {
    uint64_t escapes = 0;  // where they begin
    size_t used = 0;       // `size`, or one more
    size_t size = 0;
    char decoded[Stretches::kAtOnce];
  };
  virtual bool read_word(std::string_view /*text*/, size_t /*size*/, uint64_t /*signs*/, Word& /*word*/) const {
    return false;
  }
  // Reads the escape that `text` begins with, which is at `position` of the input. With kMaxEscapeBytes, or with
  // nothing more to come, it is never cut.
  virtual EscapeKind read(std::string_view text, uint64_t position, bool nothing_more, Escape& escape) const = 0;

  // Whether an escape may begin at `at`, where there is a sign, of a text that is all there is. Noise is full of signs,
  // so those that ask stretches() what is before override it.
  virtual bool may_begin(std::string_view text, size_t at) const;

  const Stretches& stretches() const { return stretches_; }
  // A number may begin with any number of zeros. Nobody writes so many that it does not fit into kMaxEscapeBytes but to
  // hide what follows.
  void refuse_zeros(std::string_view kind) const { host_.fault(kind, "a number with too many zeros in front"); }

 private:
  size_t scan(const TextBlock& block, size_t limit, uint64_t position, bool nothing_more, size_t at = 0);

  DecoderHost& host_;
  Stretches stretches_;
  const Sign sign_;
  size_t cut_size_ = 0;
  char cut_[kMaxEscapeBytes];  // the input's end, which may be the beginning of an escape
};

}  // namespace gatehouse::dlp
