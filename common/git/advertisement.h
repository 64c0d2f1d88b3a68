// What git-receive-pack advertises over smart HTTP (gitprotocol-http), rewritten on its way to the client: the list of
// capabilities becomes the one of filter_push_capabilities(), all else stays as it is.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/git/pkt_line.h"

namespace gatehouse::git {

// One with more of it than that is passed on before it is whole.
inline constexpr size_t kMaxHeldAdvertisementBytes = 4 << 20;

class AdvertisementFilter {
 public:
  // `signatures`: whether signed pushes are let.
  explicit AdvertisementFilter(bool signatures) : signatures_(signatures) {}
  // What of it may go to the client. Refused: what is no such advertisement.
  Result<std::string> feed(std::string_view bytes);
  // Whether it may end here.
  bool complete() const { return stage_ == Stage::over && lines_.rest().empty(); }

 private:
  enum class Stage { service, after_service, first_ref, refs, over };
  Result<void> pass(const Pkt& pkt, std::string& out);

  const bool signatures_;
  PktReader lines_;
  Stage stage_ = Stage::service;
};

}  // namespace gatehouse::git
