// A credential as it is written in its places. Pure.
#pragma once

#include <openssl/crypto.h>

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::proxy {

// Text with a secret in it: wiped when it goes. Not for long-lived secrets, which are in SecretBytes.
class WipedText {
 public:
  explicit WipedText(std::string text) : text_(std::move(text)) {}
  WipedText(WipedText&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  WipedText& operator=(WipedText&&) = delete;
  ~WipedText() { wipe(); }

  const std::string& text() const { return text_; }

 private:
  void wipe() { OPENSSL_cleanse(text_.data(), text_.size()); }
  std::string text_;
};

// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes);
// The bytes behind what base64() writes; nothing for whatever it does not write.
std::optional<std::string> from_base64(std::string_view text);

// RFC 3986 section 2.1: everything but unreserved characters.
std::string percent_encoded(std::string_view text);
// As a form's parameter is read: '+' is a space, what is no escape stands for itself.
std::string parameter_decoded(std::string_view text);

// Within a JSON string; some writers escape slashes too.
std::string json_escaped(std::string_view text, bool slashes);

}  // namespace gatehouse::proxy
