// A regular expression over arguments of tools.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/policy/path_glob.h"

namespace gatehouse::policy {

// In Hyperscan's language: what PCRE has but back references and look-around, over UTF-8, '.' for any character, line
// breaks too. It matches a text when it matches the whole of it. The time it takes is linear in the text.
class TextPattern {
 public:
  static constexpr size_t kMaxBytes = 4096;

  // What is wrong with it, in words.
  static Result<TextPattern> compile(std::string_view text);

  const std::string& text() const { return text_; }
  // `text` is UTF-8. Nothing when it cannot be said, for want of memory.
  std::optional<bool> matches(std::string_view text, Case letters) const;

 private:
  struct Compiled;
  std::string text_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace gatehouse::policy
