// The certificate of a signed push (gitprotocol-pack, "Push Certificate"): a signed text that says who pushes what to
// where. Servers take the push's commands from it and keep it, so that it is judged and looked through with the push.
//
// Read more strictly than git reads it: one line a pkt-line, each part in its place and once, one signature and nothing
// after it. Whether the signature is good, the remote says, which knows the keys and the nonce.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::git {

inline constexpr size_t kMaxSignatureBytes = 64 * 1024;

struct PushCertificate {
  std::string pushee;  // URL of the repository
  std::vector<std::string> options;
  std::string words;  // all of it but the commands, as it stands
};

// Whether a pushee is that repository, which is asked for over https: `path` is as policies have it, without ".git".
bool is_pushee(std::string_view pushee, std::string_view host, uint16_t port, std::string_view path);

class CertificateReader {
 public:
  // The payload of the next pkt-line. What it holds of the push itself: a command without its line feed, or nothing.
  Result<std::optional<std::string_view>> take(std::string_view payload);

  bool over() const { return stage_ == Stage::over; }  // nothing more may come of it
  const PushCertificate& certificate() const { return certificate_; }

 private:
  enum class Stage { version, pusher, pushee, nonce, options, commands, signature, end, over };
  Result<void> take_value(std::string_view line, std::string_view key, Stage next, std::string* value);

  PushCertificate certificate_;
  std::string_view last_line_;  // of the kind of signature that has begun
  size_t signature_bytes_ = 0;
  Stage stage_ = Stage::version;
};

}  // namespace gatehouse::git
