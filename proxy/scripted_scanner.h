// For tests: a scanner that keeps what it is shown, and answers when and what the test says.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/dlp/client.h"

namespace gatehouse::proxy {

struct ShownPart {
  dlp::PartInfo info;
  std::string bytes;
};

// One stream, as the scanner sees it; outlives the Scan.
struct ScriptedStream {
  dlp::StreamInfo info;
  std::vector<ShownPart> parts;
  size_t queued = 0;
  std::function<void()> drained;
  dlp::Scan::OnVerdict question;  // pending
  bool finished = false;          // no question follows this one
  bool open = true;

  std::string bytes(std::string_view location) const {
    for (const auto& part : parts) {
      if (part.info.location == location) return part.bytes;
    }
    return "no such part";
  }
  uint32_t index(std::string_view location) const {
    for (uint32_t i = 0; i < parts.size(); ++i) {
      if (parts[i].info.location == location) return i;
    }
    return UINT32_MAX;
  }
  void answer(Result<dlp::ScanVerdict> verdict) { std::exchange(question, nullptr)(std::move(verdict)); }
};

class ScriptedScan final : public dlp::Scan {
 public:
  explicit ScriptedScan(ScriptedStream& stream) : stream_(stream) {}
  ~ScriptedScan() override {
    stream_.open = false;
    stream_.question = nullptr;
    stream_.drained = nullptr;
  }
  void part(const dlp::PartInfo& part) override { stream_.parts.push_back({part, ""}); }
  void write(std::string_view bytes) override { stream_.parts.back().bytes += bytes; }
  size_t queued() const override { return stream_.queued; }
  void on_drained(std::function<void()> callback) override { stream_.drained = std::move(callback); }
  void check(OnVerdict on_verdict) override { stream_.question = std::move(on_verdict); }
  void finish(OnVerdict on_verdict) override {
    stream_.finished = true;
    stream_.question = std::move(on_verdict);
  }

 private:
  ScriptedStream& stream_;
};

class ScriptedScanner final : public dlp::ScanClient {
 public:
  std::unique_ptr<dlp::Scan> open(const dlp::StreamInfo& info) override {
    streams.push_back(std::make_unique<ScriptedStream>());
    streams.back()->info = info;
    return std::make_unique<ScriptedScan>(*streams.back());
  }
  ScriptedStream& last() { return *streams.back(); }

  std::vector<std::unique_ptr<ScriptedStream>> streams;
};

}  // namespace gatehouse::proxy
