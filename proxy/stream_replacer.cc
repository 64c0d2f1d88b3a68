#include "proxy/stream_replacer.h"

#include <algorithm>
#include <cassert>

#include <cstring>

namespace gatehouse::proxy {

StreamReplacer::StreamReplacer(std::string_view text, std::string_view replacement)
    : text_(text), replacement_(replacement), borders_(text.size() + 1) {
  assert(!text.empty());
  size_t border = 0;
  for (size_t i = 1; i < text.size(); ++i) {
    while (border > 0 && text[i] != text[border]) border = borders_[border];
    if (text[i] == text[border]) ++border;
    borders_[i + 1] = static_cast<uint32_t>(border);
  }
}

// Knuth, Morris and Pratt: what has come and may still become the text is text_[0, matched_).
void StreamReplacer::step(char c, std::string& out) {
  while (matched_ > 0 && text_[matched_] != c) {
    const size_t border = borders_[matched_];
    out.append(text_.substr(0, matched_ - border));
    matched_ = border;
  }
  if (text_[matched_] != c) {
    out.push_back(c);
    return;
  }
  if (++matched_ < text_.size()) return;
  out.append(replacement_);
  matched_ = 0;
  ++replaced_;
}

void StreamReplacer::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (matched_ > 0) {
      step(bytes.front(), out);
      bytes.remove_prefix(1);
      continue;
    }
    const auto* found = static_cast<const char*>(::memmem(bytes.data(), bytes.size(), text_.data(), text_.size()));
    // Only the end can be the beginning of one that goes on.
    const size_t plain = found != nullptr ? static_cast<size_t>(found - bytes.data())
                                          : bytes.size() - std::min(bytes.size(), text_.size() - 1);
    out.append(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
    if (found != nullptr) {
      out.append(replacement_);
      bytes.remove_prefix(text_.size());
      ++replaced_;
      continue;
    }
    for (const char c : bytes) step(c, out);
    return;
  }
}

void StreamReplacer::finish(std::string& out) {
  out.append(text_.substr(0, matched_));
  matched_ = 0;
}

}  // namespace gatehouse::proxy
