// For tests: a layer that records what a decoder makes of its bytes.
#pragma once

#include <algorithm>
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
  struct Origin {
    size_t at;  // in bytes
    uint64_t origin;
    bool copied;
  };
  std::vector<Origin> origins = {};  // as said by from()
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
  // Whether what is said to be copied is what stands there.
  bool copies_are_of(std::string_view input) const {
    for (const auto& [kind, layer] : layers_) {
      for (const auto& piece : layer.pieces) {
        for (size_t i = 0; i < piece.origins.size(); ++i) {
          const auto& from = piece.origins[i];
          if (!from.copied) continue;
          const size_t end = i + 1 < piece.origins.size() ? piece.origins[i + 1].at : piece.bytes.size();
          const std::string_view copy = std::string_view(piece.bytes).substr(from.at, end - from.at);
          if (from.origin > input.size() || input.substr(from.origin, copy.size()) != copy) return false;
        }
      }
    }
    return true;
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
    void begin(const Piece& piece) override { pieces.push_back({piece, {}}); }
    bool write(std::string_view bytes) override {
      if (host.left_ == 0) host.written_after_no += bytes.size();
      host.written += bytes.size();
      auto& piece = pieces.back();
      piece.bytes += bytes;
      host.left_ -= std::min(host.left_, bytes.size());
      return host.left_ > 0;
    }
    void from(uint64_t origin, bool copied) override {
      pieces.back().origins.push_back({pieces.back().bytes.size(), origin, copied});
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
