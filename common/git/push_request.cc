#include "common/git/push_request.h"

#include <algorithm>
#include <set>

#include "common/base/log.h"

namespace gatehouse::git {

namespace {

constexpr std::string_view kShallow = "shallow ";
constexpr std::string_view kPushCert = "push-cert";

std::string shown(std::string_view text) { return log::printable(text, 100); }

bool is_component(std::string_view part) { return !part.empty() && !part.starts_with('.') && !part.ends_with(".lock"); }

}  // namespace

bool PushHead::has_pack() const {
  return std::any_of(commands.begin(), commands.end(), [](const auto& command) { return !command.removes(); });
}

bool is_ref_name(std::string_view name) {
  if (!name.starts_with("refs/") || name.size() > kMaxRefBytes || name.ends_with('.')) return false;
  if (name.find("..") != std::string_view::npos || name.find("@{") != std::string_view::npos) return false;
  const bool clean = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > 0x20 && c != 0x7f && std::string_view("~^:?*[\\").find(static_cast<char>(c)) == std::string_view::npos;
  });
  if (!clean) return false;
  size_t parts = 0;
  for (size_t at = 0; at <= name.size(); ++parts) {
    const size_t slash = std::min(name.find('/', at), name.size());
    if (!is_component(name.substr(at, slash - at))) return false;
    at = slash + 1;
  }
  return parts >= 3;
}

Result<bool> PushReader::feed(std::string_view bytes) {
  bytes_ += bytes.size();
  lines_.feed(bytes);
  while (stage_ != Stage::over) {
    const auto pkt = lines_.next();
    if (!pkt) return failed(pkt);
    if (!*pkt) {
      if (bytes_ > kMaxPushHeadBytes) return fail("the commands are longer than {} bytes", kMaxPushHeadBytes);
      return false;
    }
    if (auto ok = read(**pkt); !ok) return failed(ok);
  }
  return true;
}

Result<void> PushReader::read(const Pkt& pkt) {
  if (pkt.kind == Pkt::Kind::flush) {
    if (stage_ == Stage::commands) return end_of_commands();
    stage_ = Stage::over;
    return {};
  }
  if (pkt.kind != Pkt::Kind::data) return fail("a mark that has no place in a push");
  const auto line = without_line_feed(pkt.payload);
  if (stage_ == Stage::commands) return read_command(line);
  if (head_.options.size() >= kMaxPushOptions) return fail("more than {} push options", kMaxPushOptions);
  if (line.find('\0') != std::string_view::npos) return fail("a push option with a zero byte");
  head_.options.emplace_back(line);
  return {};
}

Result<void> PushReader::read_command(std::string_view line) {
  if (line.starts_with(kPushCert)) return fail("signed pushes cannot be checked; push without --signed");
  if (line.starts_with(kShallow)) {
    if (!head_.commands.empty()) return fail("a shallow line after a command");
    if (head_.shallow.size() >= kMaxShallowLines) return fail("more than {} shallow lines", kMaxShallowLines);
    const auto id = line.substr(kShallow.size());
    if (!is_object_id(id, ObjectFormat::sha1) && !is_object_id(id, ObjectFormat::sha256)) {
      return fail("a shallow line without an object id");
    }
    head_.shallow.emplace_back(id);
    return {};
  }
  if (const size_t zero = line.find('\0'); zero != std::string_view::npos) {
    if (!head_.commands.empty()) return fail("capabilities on another line than the first");
    auto agreed = parse_push_capabilities(line.substr(zero + 1));
    if (!agreed) return failed(agreed);
    head_.capabilities = *agreed;
    line = line.substr(0, zero);
  }
  if (head_.commands.size() >= kMaxCommands) return fail("more than {} refs in one push", kMaxCommands);
  const size_t length = hex_length(head_.capabilities.format);
  if (line.size() < 2 * length + 3 || line[length] != ' ' || line[2 * length + 1] != ' ') {
    return fail("a command that is none: '{}'", shown(line));
  }
  RefCommand command{std::string(line.substr(0, length)), std::string(line.substr(length + 1, length)),
                     std::string(line.substr(2 * length + 2))};
  const auto format = head_.capabilities.format;
  if (!is_object_id(command.old_id, format) || !is_object_id(command.new_id, format)) {
    return fail("a command without object ids: '{}'", shown(line));
  }
  if (command.creates() && command.removes()) return fail("a command that neither makes nor removes anything");
  if (!is_ref_name(command.ref)) return fail("'{}' is no name of a ref", shown(command.ref));
  head_.commands.push_back(std::move(command));
  return {};
}

Result<void> PushReader::end_of_commands() {
  std::set<std::string_view> seen;
  for (const auto& command : head_.commands) {
    if (!seen.insert(command.ref).second) return fail("'{}' is named twice", shown(command.ref));
  }
  stage_ = head_.capabilities.push_options ? Stage::options : Stage::over;
  return {};
}

}  // namespace gatehouse::git
