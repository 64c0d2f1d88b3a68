// What every decoder is: bytes of one layer in, pieces of decoded bytes out. Passive, streaming, in bounded memory; the
// input is hostile and may be cut anywhere.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gatehouse::dlp {

// One run of decoded bytes: a base64 string's content, a zip entry, a form field.
struct Piece {
  uint64_t origin = 0;       // where its encoded form begins in the decoder's input
  std::string label;         // of a named one: "form:field", "file:upload.txt", "entry:dir/a.txt"; printable, bounded
  std::string content_type;  // as a multipart part's own headers say; empty: unknown
  std::string content_encoding;  // likewise: "base64", "quoted-printable"
};

// Where one kind of decoded bytes goes: the child layer of that kind.
class DecoderOutput {
 public:
  virtual ~DecoderOutput() = default;
  virtual void begin(const Piece& piece) = 0;
  // False when the stream's budget is spent: the decoder drops what it holds and does nothing more.
  virtual bool write(std::string_view bytes) = 0;
  virtual void end() = 0;

  // Within a piece: what follows is another short run, found at `origin`. The host puts a few bytes between that no
  // secret holds, which costs a tenth of ending the piece and beginning the next.
  virtual void separate(uint64_t origin) {
    end();
    begin(Piece{origin, {}, {}, {}});
  }
  // Within a piece, for decoders that pass on most of what they read: what follows, up to the next call that is no
  // write, is the input from `origin` on as it was (`copied`), or was made of the input there. A secret that was merely
  // copied is reported where it was read first.
  virtual void from(uint64_t /*origin*/, bool /*copied*/) {}

  // Bytes of which consecutive stretches have come about in different ways: what from() and write() do in turn, for
  // many at a time.
  struct Stretch {
    uint32_t size = 0;
    // `before`: it belongs to the one before; `escaped`: see below
    enum class From : uint8_t { made, copied, before, escaped } from = From::made;
    uint64_t origin = 0;
    // Bit i: the input at origin + i and the byte behind it stand for one byte. The rest is as it was.
    uint64_t escapes = 0;

    // Calls made(origin) or copied(origin, bytes) for all of an escaped one, in order; one byte is made at a time.
    template <class Made, class Copied>
    void for_escaped(Made on_made, Copied on_copied) const {
      uint64_t at = origin;
      uint64_t left = size;
      for (uint64_t bits = escapes; bits != 0; bits &= bits - 1) {
        const uint64_t escape = origin + static_cast<uint64_t>(std::countr_zero(bits));
        if (escape > at) on_copied(at, escape - at);
        on_made(escape);
        left -= escape - at + 1;
        at = escape + 2;
      }
      if (left > 0) on_copied(at, left);
    }
  };
  virtual bool write_stretches(std::string_view bytes, std::span<const Stretch> stretches) {
    bool more = true;
    const auto put = [&](uint64_t size) {
      if (size > 0) more = write(bytes.substr(0, size));
      bytes.remove_prefix(size);
    };
    for (const Stretch& stretch : stretches) {
      if (stretch.from == Stretch::From::escaped) {
        stretch.for_escaped(
            [&](uint64_t origin) {
              from(origin, false);
              put(1);
            },
            [&](uint64_t origin, uint64_t size) {
              from(origin, true);
              put(size);
            });
        continue;
      }
      if (stretch.from != Stretch::From::before) from(stretch.origin, stretch.from == Stretch::From::copied);
      put(stretch.size);
    }
    return more;
  }
};

// The layer a decoder reads.
class DecoderHost {
 public:
  virtual ~DecoderHost() = default;
  // The child layer for `kind`, made at the first call: "gzip", "base64". What follows a '#' keeps streams apart and
  // is not shown: "base64#1". Null when the depth or the budget is spent (the host has noted it).
  virtual DecoderOutput* output(std::string_view kind) = 0;
  // What was declared to be encoded so cannot be decoded, or is of a kind that cannot be looked into: "gzip: invalid
  // block type". Outbound that is a denial. Not called for what was merely guessed.
  virtual void fault(std::string_view kind, std::string_view reason) = 0;
  // Whether the input from `begin` to `end` need not be decoded as `kind`: it merely was copied from the layer below
  // and is decoded there, and what is decoded in both ways is found in another order.
  virtual bool redundant(std::string_view /*kind*/, uint64_t /*begin*/, uint64_t /*end*/) const { return false; }
  // Whether any of the input may be.
  virtual bool ever_redundant(std::string_view /*kind*/) const { return false; }
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // The layer's next bytes; valid during the call only.
  virtual void write(std::string_view bytes) = 0;
  // What follows is another piece: nothing spans it and what was before.
  virtual void boundary() = 0;
  // What the headers of the piece that begins now say of it: its content_type, its content_encoding. Called before its
  // first byte, after the boundary() if there was one; not at all if they say nothing.
  virtual void declare(const Piece& /*piece*/) {}
  // A verdict is asked for on what was written so far: what was put off, though it can be decoded, is.
  virtual void check() {}
  // The layer is over; the decoder is as new afterwards, and counts its input from 0 again.
  virtual void end() = 0;
};

}  // namespace gatehouse::dlp
