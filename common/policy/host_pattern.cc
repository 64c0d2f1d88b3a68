#include "common/policy/host_pattern.h"

#include <algorithm>

#include "common/base/ip_address.h"
#include "common/base/log.h"
#include "common/policy/public_suffix.h"

namespace gatehouse::policy {

namespace {

constexpr std::string_view kSpecialUseSuffixes[] = {
    "localhost", "local", "localdomain", "internal", "intranet", "private", "corp",
    "home",      "lan",   "home.arpa",   "onion",    "invalid",  "alt",
};

bool is_label_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelBytes && std::all_of(label.begin(), label.end(), is_label_byte) &&
         label.front() != '-' && label.back() != '-';
}

Result<void> check_name(std::string_view text, std::string_view name) {
  const std::string shown = log::printable(text, 100);
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return fail("'{}' must be given in its ASCII form, every non-ASCII label as xn--...", text);
  }
  if (text.find("://") != std::string_view::npos || text.find('/') != std::string_view::npos) {
    return fail("'{}' is more than a host; schemes, ports and paths have keys of their own", shown);
  }
  if (looks_like_ip(name) && IpAddress::parse(name)) {
    return fail(
        "'{}' is an address; rules name hosts (a local host goes in 'resolve', a private network in 'networks')",
        shown);
  }
  if (text.find(':') != std::string_view::npos) return fail("'{}' has a port; ports go in 'ports'", shown);
  if (looks_like_ip(name)) return fail("'{}' could be taken for an address; rules name hosts", shown);
  if (name.find('*') != std::string_view::npos) {
    return fail("'{}': a wildcard is the whole first label, as in *.example.com or **.example.com", shown);
  }
  if (name.ends_with('.')) return fail("'{}' ends in a dot; leave it out", shown);
  if (!is_host_name(name)) return fail("'{}' is not a host name", shown);
  return {};
}

}  // namespace

Result<HostPattern> HostPattern::parse(std::string_view text, Suffixes whole) {
  if (text.empty()) return fail("a host must not be empty");
  if (text == "*" || text == "**") return fail("'{}' covers every name there is; name the hosts", text);

  HostPattern pattern;
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::string_view name = folded;
  if (name.starts_with("**.")) {
    pattern.kind = Kind::any_depth;
    name.remove_prefix(3);
  } else if (name.starts_with("*.")) {
    pattern.kind = Kind::one_label;
    name.remove_prefix(2);
  }
  if (auto ok = check_name(text, name); !ok) return failed(ok);
  pattern.name = name;
  if (pattern.kind == Kind::exact || whole == Suffixes::taken) return pattern;

  auto covered = covered_public_suffix(pattern.name, pattern.kind == Kind::any_depth);
  if (!covered) return failed(covered);
  if (covered->empty()) return pattern;
  if (covered->find('.') == std::string::npos) {
    return fail("'{}' covers the whole top-level domain '{}'; name the hosts", text, *covered);
  }
  return fail("'{}' covers the public suffix '{}', under which anybody can have a name; name the hosts", text,
              *covered);
}

bool HostPattern::matches(std::string_view host) const {
  if (kind == Kind::exact) return host == name;
  if (host.size() <= name.size() + 1 || !host.ends_with(name)) return false;
  const std::string_view more = host.substr(0, host.size() - name.size());
  if (more.back() != '.') return false;
  return kind == Kind::any_depth || more.find('.') == more.size() - 1;
}

std::string HostPattern::to_string() const {
  switch (kind) {
    case Kind::exact:
      return name;
    case Kind::one_label:
      return "*." + name;
    case Kind::any_depth:
      return "**." + name;
  }
  return name;
}

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  for (;;) {
    const size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool is_special_use_name(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return true;
  return std::any_of(std::begin(kSpecialUseSuffixes), std::end(kSpecialUseSuffixes), [name](std::string_view suffix) {
    return name.ends_with(suffix) && (name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.');
  });
}

}  // namespace gatehouse::policy
