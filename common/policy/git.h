// git over smart HTTP (gitprotocol-http) in a policy's terms: what a request asks of a repository, and what a push may
// do there. Pushes are judged by "git" rules alone; an http rule can still deny one, and never allows it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/host_pattern.h"
#include "common/policy/path_glob.h"

namespace gatehouse::policy {

enum class GitService {
  none,
  fetch,       // info/refs of git-upload-pack, and git-upload-pack itself
  push_refs,   // info/refs of git-receive-pack
  push,        // git-receive-pack itself
  lfs,         // Git LFS's batch interface: its body says whether objects are to come or to go
  lfs_upload,  // what uploads one of its objects, or takes a lock
  unclear,     // servers may or may not take it for a push
};

struct GitTarget {
  GitService service = GitService::none;
  std::string_view repository;  // its path, without ".git" at its end; a piece of what was given
};
// `path` is one reading of the request's path, without query; `query` as it stands.
GitTarget git_target(std::string_view method, std::string_view path, std::string_view query);

// A repository as it is asked for.
struct GitRemote {
  std::string_view host;
  uint16_t port = 443;
  std::string_view path;  // "/acme/app", as GitTarget has it
};

struct RefUpdate {
  enum class Kind { create, update, remove };
  std::string_view ref;  // "refs/heads/main"
  Kind kind = Kind::update;
  bool forced = false;  // an update that is not proved to be a fast-forward
};

inline constexpr uint64_t kDefaultPushObjects = 100'000;
inline constexpr uint64_t kDefaultPushBytes = uint64_t{128} << 20;
inline constexpr uint64_t kDefaultPushFileBytes = uint64_t{32} << 20;

// What a push to one remote is bound to, over all rules that name it: the narrowest, and who says so.
struct GitTerms {
  struct Bound {
    uint64_t value;
    std::string rule;  // empty: the default
  };
  struct Paths {
    std::vector<PathGlob> globs;  // with a slash in front
    std::string rule;
  };
  struct Hosts {
    std::vector<HostPattern> hosts;
    std::string rule;
  };
  struct Texts {
    std::vector<std::string> texts;
    std::string rule;
  };
  Bound objects{kDefaultPushObjects, {}};
  Bound pack_bytes{kDefaultPushBytes, {}};
  Bound file_bytes{kDefaultPushFileBytes, {}};
  // The first rule that says so; empty: none does.
  std::string no_push_options_by;  // push options do not pass
  std::string unsigned_by;         // signed pushes do not pass
  std::string signed_by;           // no others do
  std::string atomic_by;           // several refs pass only together
  std::vector<Paths> unchanged;    // paths that may not change, of each rule that says any
  std::vector<Hosts> submodules;   // whose repositories submodules may be: each must hold
  std::vector<Hosts> lfs;          // where objects of Git LFS may be: likewise
  std::vector<Texts> authors;      // globs of "Name <address>": of each list one must match
  std::vector<Texts> trailers;     // names of trailers, all of which must be there
};

}  // namespace gatehouse::policy
