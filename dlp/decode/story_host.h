// For tests and fuzz targets: a layer that writes down what its decoder makes of it, the same however it came about.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

class StoryHost final : public DecoderHost {
 public:
  DecoderOutput* output(std::string_view kind) override {
    return &layers_.try_emplace(std::string(kind), *this).first->second;
  }
  void fault(std::string_view kind, std::string_view reason) override {
    faults += std::string(kind) + ": " + std::string(reason) + "\n";
  }

  // All that came into the layer `kind`; pieces and runs each end in "|".
  std::string text(std::string_view kind) const {
    const auto layer = layers_.find(std::string(kind));
    return layer == layers_.end() ? std::string() : layer->second.text;
  }
  std::string story() const {
    std::string all = faults;
    for (const auto& [kind, layer] : layers_) all += kind + ":\n" + layer.story + "\n";
    return all;
  }

  size_t bytes = 0;  // in all layers
  std::string faults;

 private:
  struct Layer final : DecoderOutput {
    explicit Layer(StoryHost& owner) : host(owner) {}

    void begin(const Piece& piece) override { story += "\n" + std::to_string(piece.origin) + " begin "; }
    bool write(std::string_view decoded) override {
      text += decoded;
      story += decoded;
      host.bytes += decoded.size();
      return true;
    }
    void separate(uint64_t origin) override {
      text += "|";
      story += "\n" + std::to_string(origin) + " separate ";
    }
    void from(uint64_t, bool) override {}
    void end() override { text += "|"; }

    StoryHost& host;
    std::string text;
    std::string story;
  };

  std::map<std::string, Layer> layers_;
};

// What `decoder` makes of `bytes` when they come in pieces of `piece` bytes.
template <class D>
std::string story_of(std::string_view bytes, size_t piece, std::string_view kind = {}) {
  StoryHost host;
  D decoder(host);
  for (size_t at = 0; at < bytes.size(); at += piece) decoder.write(bytes.substr(at, piece));
  decoder.end();
  return kind.empty() ? host.story() : host.text(kind);
}

}  // namespace gatehouse::dlp
