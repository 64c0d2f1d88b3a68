#include "dlp/decode/coded_stream.h"

#include <cassert>

namespace gatehouse::dlp {

PieceWriter::PieceWriter(DecoderHost& host, std::string kind, Piece piece, Copied copied, size_t proof)
    : host_(host), kind_(std::move(kind)), piece_(std::move(piece)), copied_(copied), proof_(proof) {}

bool PieceWriter::begin() {
  output_ = host_.output(kind_);
  if (output_ == nullptr) {
    closed_ = true;
    return false;
  }
  output_->begin(piece_);
  if (copied_ == Copied::yes) output_->from(piece_.origin, true);
  return held_.empty() || output_->write(held_);
}

bool PieceWriter::write(std::string_view bytes) {
  if (closed_) return false;
  if (output_ == nullptr) {
    if (held_.size() + bytes.size() < proof_) {
      held_ += bytes;
      return true;
    }
    if (!begin()) return false;
  }
  return output_->write(bytes);
}

void PieceWriter::end(bool proven) {
  if (closed_) return;
  if (output_ == nullptr && proven && !held_.empty()) begin();
  closed_ = true;
  if (output_ != nullptr) output_->end();
}

CodedStream::CodedStream(DecoderHost& host, std::string kind, std::unique_ptr<Codec> codec, Piece piece, Trust trust,
                         size_t proof)
    : host_(host),
      kind_(std::move(kind)),
      codec_(std::move(codec)),
      writer_(host, kind_, std::move(piece), Copied::no, proof),
      trust_(trust) {}

void CodedStream::fault(std::string_view reason) {
  if (trust_ == Trust::declared) host_.fault(std::string_view(kind_).substr(0, kind_.find('#')), reason);
}

bool CodedStream::feed(std::string_view bytes) {
  if (bytes.empty()) return true;
  fed_ = true;
  const auto step = over_ ? Codec::Step{Codec::State::done, 0} : codec_->decode(bytes, writer_);
  switch (step.state) {
    case Codec::State::more:
      return true;
    case Codec::State::done:
      writer_.end(true);
      if (step.used < bytes.size()) {
        fault("bytes after its end");
        return false;
      }
      over_ = true;
      return trust_ == Trust::declared;
    case Codec::State::failed:
      fault(codec_->error());
      writer_.end(false);
      return false;
    case Codec::State::stopped:
      writer_.end(false);
      return false;
  }
  assert(false);
  return false;
}

void CodedStream::finish() {
  if (fed_ && !over_ && !codec_->complete()) fault("cut short");
  writer_.end(codec_->complete());
}

}  // namespace gatehouse::dlp
