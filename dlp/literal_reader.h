// Readers for tests and fuzz targets: they find one text, or several, however it is cut.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dlp/layer_reader.h"
#include "dlp/rule.h"

namespace gatehouse::dlp {

class LiteralReader final : public LayerReader {
 public:
  explicit LiteralReader(const std::vector<Rule>& rules) : rules_(rules) {}

  void write(std::string_view bytes, const OnMatch& on_match) override {
    held_ += bytes;
    for (size_t at = 0; at < held_.size(); ++at) {
      for (const Rule& rule : rules_) {
        if (at + rule.pattern.size() <= seen_ || held_.compare(at, rule.pattern.size(), rule.pattern) != 0) continue;
        const uint64_t begin = before_ + at;
        on_match({&rule, begin, begin + rule.pattern.size(), rule.pattern, rule.severity, Confidence::high, {}});
      }
    }
    const size_t keep = std::min<size_t>(held_.size(), 64);
    before_ += held_.size() - keep;
    held_.erase(0, held_.size() - keep);
    seen_ = keep;
  }
  void boundary(const OnMatch&) override {
    before_ += held_.size();
    held_.clear();
    seen_ = 0;
  }
  void end(const OnMatch&) override {
    before_ = seen_ = 0;
    held_.clear();
  }

 private:
  const std::vector<Rule>& rules_;  // literals of up to 64 bytes as their patterns
  std::string held_;
  size_t seen_ = 0;  // bytes of held_ that were there at the last write
  uint64_t before_ = 0;
};

class LiteralSource final : public ReaderSource {
 public:
  explicit LiteralSource(const std::vector<std::string>& literals) {
    for (const std::string& literal : literals) {
      Rule rule;
      rule.id = "literal-" + std::to_string(rules.size());
      rule.title = rule.id;
      rule.category = "credentials";
      rule.pattern = literal;
      rules.push_back(rule);
    }
  }
  std::vector<std::unique_ptr<LayerReader>> open(const StreamInfo&) override {
    std::vector<std::unique_ptr<LayerReader>> readers;
    readers.push_back(std::make_unique<LiteralReader>(rules));
    return readers;
  }

  std::vector<Rule> rules;
};

}  // namespace gatehouse::dlp
