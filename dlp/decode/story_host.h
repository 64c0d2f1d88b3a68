// For tests and fuzz targets: a layer that writes down what its decoder makes of it, the same however it came about.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/decode/decoder.h"

namespace gatehouse::dlp {

class StoryHost final : public DecoderHost {
 public:
  DecoderOutput* output(std::string_view kind) override {
    return &layers_.try_emplace(std::string(kind), *this).first->second;
  }
  void fault(std::string_view kind, std::string_view reason) override {
    faults_ += std::string(kind) + ": " + std::string(reason) + "\n";
  }

  // All that came into layers of this kind, run by run, each with a "|" behind it.
  std::string text(std::string_view kind) const {
    std::string all;
    for (const auto& [name, layer] : layers_) {
      if (name.substr(0, name.find('#')) != kind) continue;
      for (const Run& run : layer.runs) all += run.text + "|";
    }
    return all;
  }
  // Everything. Which of a kind's layers a run went to is left out.
  std::string story() const {
    std::multiset<std::string> runs;
    for (const auto& [name, layer] : layers_) {
      for (const Run& run : layer.runs) {
        runs.insert(name.substr(0, name.find('#')) + " at " + std::to_string(run.origin) + ": " + run.text + "\n");
      }
    }
    std::string all = faults_;
    for (const std::string& run : runs) all += run;
    return all;
  }
  size_t bytes() const { return bytes_; }

 private:
  struct Run {
    uint64_t origin;
    std::string text;
  };
  struct Layer final : DecoderOutput {
    explicit Layer(StoryHost& owner) : host(owner) {}

    void begin(const Piece& piece) override { runs.push_back({piece.origin, {}}); }
    bool write(std::string_view decoded) override {
      runs.back().text += decoded;
      host.bytes_ += decoded.size();
      return true;
    }
    void separate(uint64_t origin) override { runs.push_back({origin, {}}); }
    void from(uint64_t, bool) override {}
    void end() override {}

    StoryHost& host;
    std::vector<Run> runs;
  };

  std::map<std::string, Layer> layers_;
  std::string faults_;
  size_t bytes_ = 0;
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
