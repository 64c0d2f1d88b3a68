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
    if (stage_ == Stage::certificate) return fail("a push certificate that is cut short");
    return stage_ == Stage::commands ? end_of_commands() : end();
  }
  if (pkt.kind != Pkt::Kind::data) return fail("a mark that has no place in a push");
  if (stage_ == Stage::certificate) return read_certificate(pkt.payload);
  const auto line = without_line_feed(pkt.payload);
  return stage_ == Stage::commands ? read_line(line) : read_option(line);
}

Result<void> PushReader::read_option(std::string_view line) {
  if (head_.options.size() >= kMaxPushOptions) return fail("more than {} push options", kMaxPushOptions);
  if (line.find('\0') != std::string_view::npos) return fail("a push option with a zero byte");
  head_.options.emplace_back(line);
  return {};
}

Result<void> PushReader::read_line(std::string_view line) {
  if (head_.certificate) return fail("more after the push certificate");
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
    if (auto ok = read_capabilities(line.substr(zero + 1)); !ok) return ok;
    line = line.substr(0, zero);
    if (line == kPushCert) {
      stage_ = Stage::certificate;
      return {};
    }
  }
  return add_command(line);
}

Result<void> PushReader::read_capabilities(std::string_view words) {
  if (!head_.commands.empty()) return fail("capabilities on another line than the first");
  auto agreed = parse_push_capabilities(words);
  if (!agreed) return failed(agreed);
  head_.capabilities = *agreed;
  return {};
}

Result<void> PushReader::read_certificate(std::string_view payload) {
  const auto command = certificate_.take(payload);
  if (!command) return failed(command);
  if (*command) return add_command(**command);
  if (!certificate_.over()) return {};
  if (head_.commands.empty()) return fail("a push certificate without commands");
  head_.certificate = certificate_.certificate();
  stage_ = Stage::commands;
  return {};
}

Result<void> PushReader::add_command(std::string_view line) {
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
  if (!head_.capabilities.push_options) return end();
  stage_ = Stage::options;
  return {};
}

Result<void> PushReader::end() {
  if (head_.certificate && head_.certificate->options != head_.options) {
    return fail("push options that are not those of the push certificate");
  }
  stage_ = Stage::over;
  return {};
}

}  // namespace gatehouse::git
