#include "proxy/websocket/handshake.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cstdlib>
#include <vector>

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kKeyBytes = 16;
constexpr size_t kKeyLetters = 24;
constexpr size_t kMaxExtensions = 16;  // of one list; what comes after is not looked at

std::string base64_of(const unsigned char* bytes, size_t size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');
  text.resize(static_cast<size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size))));
  return text;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Of a value in quotes, what is between them. Nothing that is asked for here needs quotes or has separators in them.
std::string_view unquoted(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

struct Parameter {
  std::string_view name;
  std::optional<std::string_view> value;
};
struct Extension {
  std::string_view name;
  std::vector<Parameter> parameters;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<Extension> parse(std::string_view list) {
  std::vector<Extension> extensions;
  for (const auto& item : split(list, ',')) {
    if (item.empty() || extensions.size() == kMaxExtensions) continue;
    Extension extension;
    for (const auto& part : split(item, ';')) {
      if (extension.name.empty()) {
        extension.name = part;
        continue;
      }
      const size_t equals = part.find('=');
      Parameter parameter{trimmed(part.substr(0, equals)), std::nullopt};
      if (equals != std::string_view::npos) parameter.value = unquoted(trimmed(part.substr(equals + 1)));
      extension.parameters.push_back(parameter);
    }
    extensions.push_back(std::move(extension));
  }
  return extensions;
}

// RFC 7692 section 7.1.2: 8 to 15, without leading zeros.
bool is_window_bits(std::string_view text) {
  if (text.size() == 1) return text[0] == '8' || text[0] == '9';
  return text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5';
}

struct DeflateParameters {
  bool server_no_takeover = false;
  bool client_no_takeover = false;
  std::optional<std::string_view> server_bits;
  bool client_bits = false;
};

// Nothing when one is unknown, there twice, or has a value it cannot have.
std::optional<DeflateParameters> read(const Extension& extension, bool is_offer) {
  DeflateParameters read;
  for (const auto& [name, value] : extension.parameters) {
    if (name == "server_no_context_takeover" && !value && !read.server_no_takeover) {
      read.server_no_takeover = true;
    } else if (name == "client_no_context_takeover" && !value && !read.client_no_takeover) {
      read.client_no_takeover = true;
    } else if (name == "server_max_window_bits" && value && is_window_bits(*value) && !read.server_bits) {
      read.server_bits = *value;
    } else if (name == "client_max_window_bits" && !read.client_bits && (value ? is_window_bits(*value) : is_offer)) {
      read.client_bits = true;
    } else {
      return std::nullopt;
    }
  }
  return read;
}

}  // namespace

std::string random_websocket_key() {
  std::array<unsigned char, kKeyBytes> key;
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) std::abort();
  return base64_of(key.data(), key.size());
}

bool is_websocket_key(std::string_view key) {
  if (key.size() != kKeyLetters || !key.ends_with("==")) return false;
  std::array<unsigned char, kKeyBytes + 2> bytes;
  return EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(key.data()), kKeyLetters) ==
             static_cast<int>(bytes.size()) &&
         base64_of(bytes.data(), kKeyBytes) == key;
}

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key).append(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64_of(digest.data(), digest.size());
}

DeflateAnswer answer_extensions(std::string_view offers) {
  for (const auto& extension : parse(offers)) {
    if (extension.name != kDeflateOffer) continue;
    const auto wanted = read(extension, true);
    if (!wanted) continue;
    // No memory from message to message, on either side.
    DeflateAnswer answer{{true, false}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"};
    if (wanted->server_bits) answer.answer += "; server_max_window_bits=" + std::string(*wanted->server_bits);
    return answer;
  }
  return {};
}

std::optional<DeflateAgreement> take_extensions(std::string_view answer, bool offered) {
  const auto extensions = parse(answer);
  if (extensions.empty()) return DeflateAgreement{};
  if (!offered || extensions.size() > 1 || extensions[0].name != kDeflateOffer) return std::nullopt;
  const auto agreed = read(extensions[0], false);
  if (!agreed || agreed->client_bits) return std::nullopt;  // which was not offered
  return DeflateAgreement{true, !agreed->server_no_takeover};
}

}  // namespace gatehouse::proxy
