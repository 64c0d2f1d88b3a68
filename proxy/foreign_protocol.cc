#include "proxy/foreign_protocol.h"

#include <algorithm>

#include "common/git/pkt_line.h"

namespace gatehouse::proxy {

namespace {

constexpr std::string_view kSsh = "SSH-";
constexpr std::string_view kGitRequest = "git-";  // after the length: git-upload-pack and its like
constexpr std::string_view kSshReason =
    "ssh has no way out of here; for git use https:// (ssh remotes of hosts that the policy names lead there by "
    "themselves)";
constexpr std::string_view kGitReason =
    "git:// has no way out of here: it is neither encrypted nor checked; use https://";

bool is_length(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void append_number(std::string& out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

// Our version and SSH_MSG_DISCONNECT (RFC 4253 sections 4.2, 6 and 11.1), not encrypted yet.
std::string ssh_farewell(std::string_view words) {
  constexpr char kDisconnect = 1;
  constexpr size_t kNotAllowed = 1;  // SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT
  constexpr size_t kBlock = 8;
  constexpr size_t kMinPadding = 4;
  std::string payload(1, kDisconnect);
  append_number(payload, kNotAllowed);
  append_number(payload, words.size());
  payload.append(words);
  append_number(payload, 0);  // no language
  size_t padding = kMinPadding;
  while ((5 + payload.size() + padding) % kBlock != 0) ++padding;
  std::string out = "SSH-2.0-Gatehouse\r\n";
  append_number(out, 1 + payload.size() + padding);
  out += static_cast<char>(padding);
  return out + payload + std::string(padding, '\0');
}

}  // namespace

std::optional<ForeignProtocol> foreign_protocol(std::string_view bytes) {
  if (bytes.starts_with(kSsh)) {
    return ForeignProtocol{"protocol.ssh", kSshReason, ssh_farewell("Gatehouse: " + std::string(kSshReason))};
  }
  if (bytes.size() >= git::kPktHeaderBytes + kGitRequest.size() && is_length(bytes.substr(0, git::kPktHeaderBytes)) &&
      bytes.substr(git::kPktHeaderBytes).starts_with(kGitRequest)) {
    ForeignProtocol git{"protocol.git", kGitReason, ""};
    git::append_pkt(git.farewell, "ERR Gatehouse: " + std::string(kGitReason));
    return git;
  }
  return std::nullopt;
}

bool may_be_foreign(std::string_view bytes) {
  if (kSsh.starts_with(bytes.substr(0, kSsh.size()))) return bytes.size() < kSsh.size();
  if (!is_length(bytes.substr(0, git::kPktHeaderBytes))) return false;
  if (bytes.size() <= git::kPktHeaderBytes) return true;
  const auto rest = bytes.substr(git::kPktHeaderBytes);
  return rest.size() < kGitRequest.size() && kGitRequest.starts_with(rest);
}

}  // namespace gatehouse::proxy
