#include "common/git/advertisement.h"

#include "common/git/capabilities.h"

namespace gatehouse::git {

namespace {
constexpr std::string_view kService = "# service=git-receive-pack";
}  // namespace

Result<std::string> AdvertisementFilter::feed(std::string_view bytes) {
  std::string out;
  lines_.feed(bytes);
  for (;;) {
    const auto pkt = lines_.next();
    if (!pkt) return failed(pkt);
    if (!*pkt) return out;
    if (auto ok = pass(**pkt, out); !ok) return failed(ok);
  }
}

Result<void> AdvertisementFilter::pass(const Pkt& pkt, std::string& out) {
  const bool flush = pkt.kind == Pkt::Kind::flush;
  if (!flush && pkt.kind != Pkt::Kind::data) return fail("a mark that has no place in an advertisement");
  switch (stage_) {
    case Stage::service:
      if (flush || without_line_feed(pkt.payload) != kService) return fail("it does not begin with '{}'", kService);
      stage_ = Stage::after_service;
      break;
    case Stage::after_service:
      if (!flush) return fail("lines before the refs");
      stage_ = Stage::first_ref;
      break;
    case Stage::first_ref: {
      if (flush) return fail("no refs and no capabilities");
      if (pkt.payload.starts_with("version ")) break;
      const size_t zero = pkt.payload.find('\0');
      if (zero == std::string_view::npos) return fail("a first ref without capabilities");
      stage_ = Stage::refs;
      append_pkt(out, std::string(pkt.payload.substr(0, zero + 1)) +
                          filter_push_capabilities(without_line_feed(pkt.payload.substr(zero + 1)), signatures_) +
                          "\n");
      return {};
    }
    case Stage::refs:
      if (!flush && pkt.payload.find('\0') != std::string_view::npos) return fail("capabilities on a later line");
      if (flush) stage_ = Stage::over;
      break;
    case Stage::over:
      return fail("more after its end");
  }
  if (flush) {
    append_flush(out);
  } else {
    append_pkt(out, pkt.payload);
  }
  return {};
}

}  // namespace gatehouse::git
