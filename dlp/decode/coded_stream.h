// One compressed stream on its way into the child layer of its kind.
#pragma once

#include <memory>
#include <string>

#include "common/codec/codec.h"
#include "dlp/decode/decoder.h"
#include "dlp/decode/follower.h"

namespace gatehouse::dlp {

// Whether a piece's bytes stand in the input, from its origin on, as they are.
enum class Copied { no, yes };

// A piece that begins with its first byte, or as soon as `proof` bytes are there: what looks like a stream by chance
// seldom yields more than a few, and should make no layer.
class PieceWriter : public ByteSink {
 public:
  PieceWriter(DecoderHost& host, std::string kind, Piece piece, Copied copied = Copied::no, size_t proof = 0);
  bool write(std::string_view bytes) override;
  // Nothing more comes. `proven`: what is held is genuine, however little.
  void end(bool proven);
  bool begun() const { return output_ != nullptr; }

 private:
  bool begin();

  DecoderHost& host_;
  std::string kind_;
  Piece piece_;
  Copied copied_;
  size_t proof_;
  std::string held_;
  DecoderOutput* output_ = nullptr;
  bool closed_ = false;
};

class CodedStream : public Follower {
 public:
  // `kind` as for DecoderHost::output(). Declared streams put up with nothing: corrupt data, a missing end and bytes
  // after the end are faults (no bytes at all are none). Guessed ones give what they can.
  CodedStream(DecoderHost& host, std::string kind, std::unique_ptr<Codec> codec, Piece piece, Trust trust,
              size_t proof = 0);

  bool feed(std::string_view bytes) override;
  void finish() override;
  bool begins_at(uint64_t offset) const override { return codec_->frame_start() == offset; }
  bool begun() const override { return writer_.begun(); }

 private:
  void fault(std::string_view reason);

  DecoderHost& host_;
  std::string kind_;
  std::unique_ptr<Codec> codec_;
  PieceWriter writer_;
  Trust trust_;
  bool fed_ = false;
  bool over_ = false;  // of a declared stream: the codec is done, no byte may follow
};

}  // namespace gatehouse::dlp
