// What authorization servers have given for people's logins, across sessions: one file, 0600, of one JSON object a
// line. Shared by the gateways of all sessions. A line counts once it is whole and on the disk; the one that it
// supersedes is then overwritten with blanks. Blocks, for a file of a few lines.
#pragma once

#include <optional>
#include <string>

#include "common/base/fd.h"
#include "mcp-gateway/authorization.h"

namespace gatehouse::mcp {

inline constexpr size_t kMaxTokenFileBytes = 1 << 20;
inline constexpr size_t kRoomyTokenFileBytes = 256 << 10;  // above it, blanks go when it is opened

class TokenStore {
 public:
  // Opens it, or makes it. One that belongs to somebody else, that others may read or write, or that holds anything
  // else is an error. What a killed writer left of a line goes.
  static Result<TokenStore> open(const std::string& path);

  // The latest of that server's URL, or nothing. The caller wipes it.
  Result<std::optional<KeptAuthorization>> find(const std::string& server);
  // Instead of what is there of that server.
  Result<void> put(const KeptAuthorization& kept);

 private:
  explicit TokenStore(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

// The caller wipes both.
std::string to_line(const KeptAuthorization& kept);
Result<KeptAuthorization> parse_kept(std::string_view line);

}  // namespace gatehouse::mcp
