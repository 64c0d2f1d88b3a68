#include "proxy/crowd.h"

#include <fmt/format.h>

#include <utility>

namespace gatehouse::proxy {

namespace {

Decision refused(uint64_t count) {
  return {Verdict::deny, "limit.connections",
          fmt::format("more than {} connections at once: {} refused", kMaxConnections, count)};
}

}  // namespace

std::optional<Decision> Crowd::refuse() {
  if (std::exchange(told_lately_, true)) {
    ++untold_;
    return std::nullopt;
  }
  return refused(1);
}

std::optional<Decision> Crowd::tell() {
  const auto count = std::exchange(untold_, 0);
  told_lately_ = count > 0;
  if (count == 0) return std::nullopt;
  return refused(count);
}

}  // namespace gatehouse::proxy
