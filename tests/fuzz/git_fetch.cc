// The first byte says what the rest is: what a remote offers, its refs, a fetch's answer in either version; or what a
// client asks of Git LFS.
// What is understood of it is sound, and an answer comes out the same however it is cut.
#include <cstdlib>
#include <string>

#include "common/git/lfs.h"
#include "common/git/upload_pack.h"

using namespace gatehouse::git;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const RemoteRefs& refs) {
  for (const auto& [ref, tip] : refs.tips) {
    require(ref.starts_with("refs/heads/") || ref.starts_with("refs/tags/"));
    for (const auto& id : {tip.id, tip.leads_to}) {
      require(is_object_id(id, ObjectFormat::sha1) || is_object_id(id, ObjectFormat::sha256));
    }
  }
}

std::string read(std::string_view bytes, size_t piece, int version) {
  FetchOffer offer;
  offer.version = version;
  FetchReader reader(offer);
  std::string pack;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const auto came = reader.feed(bytes.substr(at, piece));
    if (!came) return "!" + came.error().message();
    pack += *came;
  }
  return pack + (reader.complete() ? "." : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto offered = parse_fetch_offer(bytes)) check(offered->refs);
      return 0;
    case 1:
      if (const auto refs = parse_refs(bytes, ObjectFormat::sha1)) check(*refs);
      return 0;
    case 4:
      (void)parse_lfs_batch(bytes);
      return 0;
    default: {
      const int version = data[0] % 5 == 2 ? 2 : 0;
      require(read(bytes, bytes.size(), version) == read(bytes, 1 + size % 7, version));
      return 0;
    }
  }
}
