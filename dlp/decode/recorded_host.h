// For tests: a layer that records what a decoder makes of its bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

struct RecordedPiece {
  Piece piece;
  std::string bytes;
  bool ended = false;
  size_t longest_write = 0;
};

class RecordedHost : public DecoderHost {
 public:
  // Takes `capacity` bytes in all, then says no. With `depth_spent` there are no child layers.
  explicit RecordedHost(size_t capacity = SIZE_MAX, bool depth_spent = false)
      : left_(capacity), depth_spent_(depth_spent) {}

  DecoderOutput* output(std::string_view kind) override {
    ++outputs_asked;
    if (depth_spent_) return nullptr;
    return &layers_.try_emplace(std::string(kind), *this).first->second;
  }
  void fault(std::string_view kind, std::string_view reason) override {
    faults.push_back(std::string(kind) + ": " + std::string(reason));
  }

  // The pieces of one kind, "gzip" or "gzip#2".
  const std::vector<RecordedPiece>& pieces(const std::string& kind) const {
    static const std::vector<RecordedPiece> none;
    const auto at = layers_.find(kind);
    return at == layers_.end() ? none : at->second.pieces;
  }
  // What came of one kind, pieces separated by '|'.
  std::string text(const std::string& kind) const {
    std::string all;
    for (const auto& piece : pieces(kind)) all += (all.empty() ? "" : "|") + piece.bytes;
    return all;
  }
  // Everything, in an order that does not depend on how layers took turns.
  std::string story() const {
    std::string all;
    for (const auto& [kind, layer] : layers_) {
      for (const auto& piece : layer.pieces) {
        all += kind + "@" + std::to_string(piece.piece.origin) + " " + piece.piece.label + " " +
               piece.piece.content_type + " " + piece.piece.content_encoding + "\n" + piece.bytes + "\n" +
               (piece.ended ? "ended\n" : "open\n");
      }
    }
    for (const auto& fault : faults) all += "fault " + fault + "\n";
    return all;
  }
  bool all_ended() const {
    for (const auto& [kind, layer] : layers_) {
      for (const auto& piece : layer.pieces) {
        if (!piece.ended) return false;
      }
    }
    return true;
  }

  std::vector<std::string> faults;
  size_t outputs_asked = 0;
  size_t written = 0;
  size_t written_after_no = 0;  // must stay 0

 private:
  struct Layer : DecoderOutput {
    explicit Layer(RecordedHost& owner) : host(owner) {}
    void begin(const Piece& piece) override { pieces.push_back({piece, {}, false, 0}); }
    bool write(std::string_view bytes) override {
      if (host.left_ == 0) host.written_after_no += bytes.size();
      host.written += bytes.size();
      auto& piece = pieces.back();
      piece.bytes += bytes;
      piece.longest_write = std::max(piece.longest_write, bytes.size());
      host.left_ -= std::min(host.left_, bytes.size());
      return host.left_ > 0;
    }
    void end() override { pieces.back().ended = true; }

    RecordedHost& host;
    std::vector<RecordedPiece> pieces;
  };

  size_t left_;
  bool depth_spent_;
  std::map<std::string, Layer> layers_;
};

}  // namespace gatehouse::dlp
