// Quoted-printable (RFC 2045 section 6.7), looked for in any text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dlp/decode/text_decoder.h"

namespace gatehouse::dlp {

inline constexpr size_t kQuotedContextBytes = 256;  // handed on before and after each escape

// Hands on, as kind "qp", only stretches with an escape of a printable character ("=41", in either case) or a soft line
// break ("=" at the end of a line), and some context round them: what has none is in the layer in plain, so that text
// with few of them costs little more than looking for '='. Blanks between a soft break's '=' and the end of the line
// are transport's and belong to it.
class QuotedPrintable : public TextDecoder {
 public:
  // The host outlives it.
  explicit QuotedPrintable(DecoderHost& host) : host_(host) {}

  void take(const TextBlock& block) override;
  bool wants(const TextBlock& block) const override;
  void skip(uint64_t bytes) override;
  void boundary() override;
  void end() override;

 private:
  enum class Escape { incomplete, none, character, line_break };

  Escape classify(char& character) const;
  void read(std::string_view bytes, const Mask* escapes);
  void add(char next);
  void literal(std::string_view bytes);
  void resolved(std::string_view meaning, bool begins_stretch);
  void begin_stretch(uint64_t escape);
  void emit(std::string_view bytes, uint64_t origin, bool copied);
  void keep(std::string_view bytes);

  DecoderHost& host_;
  DecoderOutput* output_ = nullptr;  // begun
  bool stopped_ = false;             // until the boundary
  uint64_t offset_ = 0;              // of the next byte, pending_ included
  std::string pending_;              // a '=' and what has come of its escape
  std::string before_;               // the last bytes in front of pending_, decoded
  uint64_t literals_ = 0;            // how many bytes in front of pending_ stand there as they are
  size_t left_ = 0;                  // of the current stretch; 0: there is none
  bool copying_ = false;             // what was emitted last was a copy, and the next follows it
};

}  // namespace gatehouse::dlp
