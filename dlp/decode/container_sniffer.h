// Finds and opens what is compressed or packed within a layer: at the start of a piece, after junk, or several at once,
// so that a decoy hides nothing. gzip, zlib, zstd and zip are found anywhere in the layer; tar at 512-byte blocks
// counted from a piece's start. What is found so but turns out to be nothing is dropped in silence; bzip2, xz, 7z, rar
// and others that nothing here can open are left alone unless they are declared, and then are a fault.
//
// Kinds of child layers: "gzip", "zlib", "zstd", "zip", "tar", "form" (multipart) and, declared, "deflate" and "br";
// those of one kind that are open at once have numbers, "gzip#2". More of a kind at once than kMaxAtOnce are a fault:
// nothing harmless looks like that.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"
#include "dlp/decode/magic_search.h"
#include "dlp/decode/tar.h"

namespace gatehouse::dlp {

inline constexpr size_t kMaxAtOnce = 4;         // of one kind
inline constexpr size_t kMaxZlibGuesses = 32;   // zlib headers that have not come to anything yet
inline constexpr size_t kProvenBytes = 8;       // of output, before what begins with a magic makes a layer
inline constexpr size_t kProvenZlibBytes = 32;  // zlib's two bytes are found every 16 KiB of random data

class ContainerSniffer : public Decoder {
 public:
  // The host outlives it.
  explicit ContainerSniffer(DecoderHost& host);
  ~ContainerSniffer() override;

  // Declared content codings (with Content-Transfer-Encoding: "gzip, base64"), multipart/* and archives are opened as
  // what they are said to be, and it is a fault if they are not.
  void declare(const Piece& piece) override;
  void write(std::string_view bytes) override;
  void boundary() override;
  void end() override;

 private:
  struct Open {
    std::string kind;
    size_t number = 1;  // among those of its kind
    uint64_t start = 0;
    std::unique_ptr<Follower> follower;
  };
  enum class Archive { none, zip, tar };
  static constexpr size_t kRestBytes = kMagicBytes - 1;
  static constexpr size_t kContextBytes = 4;  // looked at in front of a start
  static constexpr size_t kKeptBytes = kContextBytes + kRestBytes;

  size_t step(std::string_view bytes);
  Follower::Span span() const;
  void feed(std::string_view bytes);
  size_t find_magic(std::string_view bytes, Magic& magic) const;
  Magic magic_at(std::string_view bytes, size_t at, uint64_t offset, std::string_view before) const;
  size_t find_tar(std::string_view bytes) const;
  void remember(std::string_view bytes);
  void skip(size_t bytes);
  void open_magic(Magic magic);
  void open_tar(std::string_view last);
  // Opens one more of `kind` with what `make` makes for its name, unless there are `most` already.
  template <class Make>
  void add(std::string_view kind, size_t most, uint64_t start, std::string_view begin, Make make);
  void too_many(std::string_view kind);
  static bool is_zlib(const Open& open) { return open.kind == "zlib"; }
  bool is_open(std::string_view kind) const;
  void declare_type(std::string_view content_type);
  uint64_t in_piece() const { return offset_ - piece_start_; }
  void end_piece();

  DecoderHost& host_;
  uint64_t offset_ = 0;  // in the layer, of the next byte
  uint64_t piece_start_ = 0;
  std::vector<Open> open_;
  std::string head_;  // the piece's first kMagicBytes
  // The bytes before offset_: some context, then rest_ bytes at which something may still begin.
  std::string last_;
  size_t rest_ = 0;
  // The current 512-byte block of the piece up to offset_, if all of it was looked at.
  std::array<char, kTarBlockBytes> block_{};
  bool block_whole_ = true;
  bool too_many_ = false;  // said, of this piece
  Archive declared_ = Archive::none;
  bool declared_seen_ = false;
};

}  // namespace gatehouse::dlp
