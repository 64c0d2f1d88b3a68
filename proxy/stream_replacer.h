// Replaces one text by another in a stream, wherever the stream is cut. Passive.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::proxy {

// Of bytes that may be the text's beginning nothing is passed on until it is known that they are not; all others pass
// at once.
class StreamReplacer {
 public:
  // `text` is not empty; both outlive the replacer.
  StreamReplacer(std::string_view text, std::string_view replacement);

  // Appends to `out` what is known by now.
  void feed(std::string_view bytes, std::string& out);
  // The stream has ended: appends what was kept. Another may begin.
  void finish(std::string& out);

  uint64_t replaced() const { return replaced_; }

 private:
  void step(char c, std::string& out);

  std::string_view text_;
  std::string_view replacement_;
  std::vector<uint32_t> borders_;  // of each beginning of the text its longest own beginning that ends it
  size_t matched_ = 0;             // so many bytes of the text have come and are kept
  uint64_t replaced_ = 0;
};

}  // namespace gatehouse::proxy
