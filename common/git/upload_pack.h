// Reading from git-upload-pack over smart HTTP: what the gate asks of a remote to prove what a push builds on, and what
// comes of it. Version 2 of the protocol (gitprotocol-v2) where the remote speaks it, else version 0
// (gitprotocol-pack). Passive; what comes is the upstream's, and hostile.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/git/object_id.h"
#include "common/git/pkt_line.h"

namespace gatehouse::git {

inline constexpr size_t kMaxRefsBytes = 16 << 20;  // of an answer that lists a remote's refs
inline constexpr size_t kMaxFetchIds = 256;        // asked for, or told of, at once

// The answer to "GET info/refs?service=git-upload-pack" with "Git-Protocol: version=2".
struct FetchOffer {
  int version = 0;
  bool filter = false;   // objects of one kind can be left out
  bool shallow = false;  // the commits before can be left out
  ObjectFormat format = ObjectFormat::sha1;
};

struct RemoteTip {
  std::string id;
  std::string leads_to;  // of a tag with words of its own what it is a tag of, else the id
};
struct RemoteRefs {
  std::map<std::string, RemoteTip> tips;  // of refs/heads/ and refs/tags/
  std::string head;                       // the id that HEAD has; empty: none
};

struct FetchAnswer {
  FetchOffer offer;
  RemoteRefs refs;  // of version 0; in version 2 they are asked for
};
Result<FetchAnswer> parse_fetch_offer(std::string_view body);

// For version 2 alone: the question, and what comes back.
std::string refs_request(const FetchOffer& offer);
Result<RemoteRefs> parse_refs(std::string_view body, ObjectFormat format);

struct FetchWanted {
  enum class Leave { nothing, blobs, blobs_and_trees };  // out of the pack, where the remote can do that
  std::vector<std::string> wants;                        // not empty
  std::vector<std::string> haves;                        // all they lead to is left out
  bool shallow = false;                                  // nothing before the wanted commits
  Leave leave = Leave::nothing;
};
std::string fetch_request(const FetchOffer& offer, const FetchWanted& wanted);

// The answer to a fetch_request, as it comes.
class FetchReader {
 public:
  explicit FetchReader(const FetchOffer& offer) : version_(offer.version) {}
  // What is in it of the pack. Refused: the remote's own refusal, and what is no such answer.
  Result<std::string> feed(std::string_view bytes);
  bool complete() const { return stage_ == Stage::over && lines_.rest().empty(); }

 private:
  enum class Stage { before, pack, over };
  Result<void> take(const Pkt& pkt, std::string& pack);

  int version_;
  PktReader lines_;
  Stage stage_ = Stage::before;
};

}  // namespace gatehouse::git
