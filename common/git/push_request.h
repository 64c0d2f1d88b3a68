// What a client asks of git-receive-pack (gitprotocol-pack, "Reference Update Request and Packfile Transfer"):
// commands, then push options if they were agreed upon, then a pack unless all commands remove refs.
//
// Read more strictly than git reads it, so that what was judged is what any server does: only capabilities that the
// advertisement filter lets through (capabilities.h), named once, on the first line; commands in a certificate or
// outside one; refs below refs/ that git itself would make; each ref once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/git/capabilities.h"
#include "common/git/pkt_line.h"
#include "common/git/push_certificate.h"

namespace gatehouse::git {

inline constexpr size_t kMaxCommands = 10'000;
inline constexpr size_t kMaxRefBytes = 512;
inline constexpr size_t kMaxShallowLines = 4096;
inline constexpr size_t kMaxPushOptions = 64;
inline constexpr size_t kMaxPushHeadBytes = 8 << 20;  // all before the pack

struct RefCommand {
  std::string old_id;
  std::string new_id;
  std::string ref;
  bool creates() const { return is_null_id(old_id); }
  bool removes() const { return is_null_id(new_id); }
};

struct PushHead {
  std::vector<RefCommand> commands;  // none: a client that asks whether it would be let in
  std::vector<std::string> shallow;
  std::vector<std::string> options;
  std::optional<PushCertificate> certificate;  // of a signed push: the commands stand in it
  PushCapabilities capabilities;
  bool has_pack() const;
};

// Whether git would make a ref of that name (git-check-ref-format), below refs/.
bool is_ref_name(std::string_view name);

class PushReader {
 public:
  // Takes bytes until the head is complete, which it then says; rest() is what has come of the pack by then. After an
  // error the head holds what was understood until then.
  Result<bool> feed(std::string_view bytes);

  bool complete() const { return stage_ == Stage::over; }
  const PushHead& head() const { return head_; }
  std::string_view rest() const { return lines_.rest(); }

 private:
  enum class Stage { commands, certificate, options, over };
  Result<void> read(const Pkt& pkt);
  Result<void> read_line(std::string_view line);
  Result<void> read_certificate(std::string_view payload);
  Result<void> read_option(std::string_view line);
  Result<void> read_capabilities(std::string_view words);
  Result<void> add_command(std::string_view line);
  Result<void> end_of_commands();
  Result<void> end();

  PktReader lines_;
  PushHead head_;
  CertificateReader certificate_;
  Stage stage_ = Stage::commands;
  size_t bytes_ = 0;  // fed
};

}  // namespace gatehouse::git
