#include "mcp-gateway/token_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/file_lock.h"

namespace gatehouse::mcp {

namespace {

using json::Value;

constexpr json::Limits kLineLimits{.bytes = 256 << 10, .depth = 2, .values = 32};
constexpr char kWhatToDo[] = "take the file away, and log in again (gatehouse mcp login)";

Result<void> check(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno("cannot be looked at");
  if (!S_ISREG(status.st_mode)) return fail("it is no file");
  if (status.st_uid != ::geteuid()) return fail("it belongs to somebody else");
  if ((status.st_mode & 077) != 0) return fail("others may read or write it");
  if (static_cast<size_t>(status.st_size) > kMaxTokenFileBytes) {
    return fail("it is larger than {} bytes; {}", kMaxTokenFileBytes, kWhatToDo);
  }
  return {};
}

Result<void> write_at(int fd, std::string_view text, size_t at) {
  while (!text.empty()) {
    const ssize_t wrote = ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail_errno("the file of tokens");
    text.remove_prefix(static_cast<size_t>(wrote));
    at += static_cast<size_t>(wrote);
  }
  return {};
}

struct Line {
  size_t begin = 0, size = 0;  // without its end
  KeptAuthorization kept;
};

// All that counts, wiped with it.
struct Lines {
  std::vector<Line> lines;
  size_t end = 0;  // of the last whole line
  ~Lines() {
    for (auto& line : lines) wipe(line.kept);
  }
};

// With the lock held.
Result<void> read_lines(int fd, Lines& into) {
  if (auto ok = check(fd); !ok) return ok;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno("the file of tokens");
  std::string text(static_cast<size_t>(status.st_size), '\0');
  const Wiping<std::string> wiping{text};
  size_t got = 0;
  while (got < text.size()) {
    const ssize_t more = ::pread(fd, text.data() + got, text.size() - got, static_cast<off_t>(got));
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) return fail("the file of tokens cannot be read");
    got += static_cast<size_t>(more);
  }
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    into.end = end + 1;
    const auto line = std::string_view(text).substr(at, end - at);
    if (line.find_first_not_of(' ') == std::string_view::npos) continue;
    auto kept = parse_kept(line);
    if (!kept) return fail("its line at byte {} is none of a gateway's: {}; {}", at, kept.error().message(), kWhatToDo);
    into.lines.push_back({at, line.size(), std::move(*kept)});
  }
  return {};
}

}  // namespace

std::string to_line(const KeptAuthorization& kept) {
  Value value = {{"server", kept.server},
                 {"issuer", kept.issuer},
                 {"client_id", kept.client_id},
                 {"redirect", kept.redirect},
                 {"authentication", kClientAuthenticationNames[static_cast<size_t>(kept.authentication)]},
                 {"client_secret", kept.client_secret},
                 {"secret_expires_at", kept.secret_expires_at},
                 {"access_token", kept.access_token},
                 {"expires_at", kept.expires_at},
                 {"refresh_token", kept.refresh_token},
                 {"scopes", kept.scopes}};
  const Wiping<Value> wiping{value};
  return json::write(value);
}

Result<KeptAuthorization> parse_kept(std::string_view line) {
  auto value = json::read(line, kLineLimits);
  if (!value) return failed(value);
  const Wiping<Value> wiping{*value};
  if (!value->is_object()) return fail("no JSON object");
  KeptAuthorization kept;
  const auto text = [&](const char* name, std::string& into) {
    const auto found = value->find(name);
    if (found == value->end() || !found->is_string()) return false;
    into = found->get<std::string>();
    return true;
  };
  const auto number = [&](const char* name, int64_t& into) {
    const auto found = value->find(name);
    if (found == value->end() || !found->is_number_unsigned()) return false;
    into = found->get<int64_t>();
    return into >= 0;
  };
  std::string way;
  const bool whole = text("server", kept.server) && text("issuer", kept.issuer) && text("client_id", kept.client_id) &&
                     text("redirect", kept.redirect) && text("authentication", way) &&
                     text("client_secret", kept.client_secret) && text("access_token", kept.access_token) &&
                     text("refresh_token", kept.refresh_token) && text("scopes", kept.scopes) &&
                     number("secret_expires_at", kept.secret_expires_at) && number("expires_at", kept.expires_at);
  const auto known = std::find(std::begin(kClientAuthenticationNames), std::end(kClientAuthenticationNames), way);
  if (!whole || known == std::end(kClientAuthenticationNames)) {
    wipe(kept);
    return fail("a member is missing, or none");
  }
  kept.authentication = static_cast<ClientAuthentication>(known - std::begin(kClientAuthenticationNames));
  return kept;
}

Result<TokenStore> TokenStore::open(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return fail_errno("cannot open {}", path);
  const int fd = file.get();
  if (auto ok = check(fd); !ok) return failed(ok, path);
  const auto lock = FileLock::take(fd);
  if (!lock) return failed(lock, path);
  Lines lines;
  if (auto ok = read_lines(fd, lines); !ok) return failed(ok, path);
  if (lines.end > kRoomyTokenFileBytes) {
    std::string text;
    const Wiping<std::string> wiping{text};
    text.reserve(lines.end);
    for (const auto& line : lines.lines) {
      std::string one = to_line(line.kept);
      text.append(one).append("\n");
      wipe(one);
    }
    if (::ftruncate(fd, 0) != 0) return fail_errno("{}", path);
    if (auto ok = write_at(fd, text, 0); !ok) return failed(ok, path);
  } else if (::ftruncate(fd, static_cast<off_t>(lines.end)) != 0) {
    return fail_errno("{}", path);
  }
  return TokenStore(std::move(file));
}

Result<std::optional<KeptAuthorization>> TokenStore::find(const std::string& server) {
  const auto lock = FileLock::take(file_.get());
  if (!lock) return failed(lock, "the file of tokens");
  Lines lines;
  if (auto ok = read_lines(file_.get(), lines); !ok) return failed(ok);
  const auto found = std::find_if(lines.lines.rbegin(), lines.lines.rend(),
                                  [&](const Line& line) { return line.kept.server == server; });
  if (found == lines.lines.rend()) return std::nullopt;
  return found->kept;
}

Result<void> TokenStore::put(const KeptAuthorization& kept) {
  const auto lock = FileLock::take(file_.get());
  if (!lock) return failed(lock, "the file of tokens");
  Lines lines;
  if (auto ok = read_lines(file_.get(), lines); !ok) return ok;
  // After the rest of a killed writer's line ours could not be read.
  if (::ftruncate(file_.get(), static_cast<off_t>(lines.end)) != 0) return fail_errno("the file of tokens");
  std::string text = to_line(kept) + '\n';
  const Wiping<std::string> wiping{text};
  if (lines.end + text.size() > kMaxTokenFileBytes) return fail("the file of tokens is full");
  if (auto ok = write_at(file_.get(), text, lines.end); !ok) return ok;
  if (::fdatasync(file_.get()) != 0) return fail_errno("the file of tokens");
  for (const auto& line : lines.lines) {
    if (line.kept.server != kept.server) continue;
    if (auto ok = write_at(file_.get(), std::string(line.size, ' '), line.begin); !ok) return ok;
  }
  return {};
}

}  // namespace gatehouse::mcp
