#include <algorithm>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using Kind = JsonNode::Kind;

constexpr std::string_view kForms = "\"env:NAME\", \"file:/PATH\" or [\"command\", \"argument\"...]";

constexpr std::string_view kInject[] = {"placeholder", "always"};
constexpr size_t kMaxPrefixBytes = 32;

// A name as POSIX has it for environment variables (XBD 8.1), in either case.
bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxIdBytes && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

Result<void> read_command(const FieldReader& reader, const JsonNode& node, SecretSource& source) {
  source.from = SecretSource::From::command;
  auto words =
      reader.list_of_items<std::string>(node, "from", "a command", [&](const JsonNode& item) -> Result<std::string> {
        auto word = reader.text_of(item, "from");
        if (word && word->find('\0') != std::string::npos) return reader.refuse(item.offset, "a NUL in a command");
        return word;
      });
  if (!words) return failed(words);
  if (words->empty() || words->front().empty()) return reader.refuse(node.offset, "the command is empty");
  source.command = std::move(*words);
  return {};
}

Result<void> read_from(const FieldReader& reader, const JsonNode& node, SecretSource& source) {
  if (node.kind == Kind::array) return read_command(reader, node, source);
  if (node.kind != Kind::string) {
    return reader.refuse(node.offset, fmt::format("'from' must be {}, not {}", kForms, kind_name(node.kind)));
  }
  std::string_view text = node.text;
  if (text.starts_with("env:")) {
    text.remove_prefix(4);
    if (!is_identifier(text)) {
      return reader.refuse(node.offset,
                           fmt::format("'{}' is no name of an environment variable", log::printable(text, 64)));
    }
    source.from = SecretSource::From::environment;
  } else if (text.starts_with("file:")) {
    text.remove_prefix(5);
    if (!text.starts_with('/') || has_control_character(text)) {
      return reader.refuse(node.offset, fmt::format("'{}' is no absolute path", log::printable(text, 64)));
    }
    source.from = SecretSource::From::file;
  } else {
    return reader.refuse_unshown(node.offset, fmt::format("'from' says where the value is: {}", kForms));
  }
  source.where = text;
  return {};
}

Result<std::vector<CredentialPlace>> read_places(const FieldReader& reader, const JsonNode& node) {
  if (node.kind == Kind::string) {
    auto place = CredentialPlace::parse(node.text);
    if (!place) return reader.refuse(node.offset, place.error().message());
    return std::vector{std::move(*place)};
  }
  auto places = reader.parsed_strings<CredentialPlace>(node, "as", CredentialPlace::parse);
  if (places && places->empty()) return reader.refuse(node.offset, "'as' names no place");
  return places;
}

Result<std::string> read_prefix(const FieldReader& reader, const JsonNode& node) {
  auto prefix = reader.text_of(node, "placeholder");
  if (!prefix) return prefix;
  const bool fits = prefix->size() <= kMaxPrefixBytes && std::all_of(prefix->begin(), prefix->end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                             c == '_' || c == '.';
                    });
  if (fits) return prefix;
  return reader.refuse(node.offset, fmt::format("'placeholder' is what one begins with: up to {} letters, digits, '-', "
                                                "'_' and '.'",
                                                kMaxPrefixBytes));
}

// Where the secret goes; nothing when it goes nowhere.
Result<std::optional<CredentialEntry>> read_binding(const FieldReader& reader, const JsonNode& node,
                                                    const std::string& name) {
  const JsonNode* hosts_node = node.find("hosts");
  if (hosts_node == nullptr) {
    for (const auto& said : node.members) {
      if (said.key == "from") continue;
      return reader.refuse(said.offset,
                           fmt::format("'{}' without \"hosts\": to whom the secret goes must be said", said.key));
    }
    return std::nullopt;
  }
  CredentialEntry entry;
  entry.credential.secret = name;
  auto hosts = reader.hosts_of(node, "hosts");
  if (!hosts) return failed(hosts);
  entry.hosts = std::move(*hosts);
  const auto as = reader.required(node, "as");
  if (!as) return failed(as);
  auto places = read_places(reader, **as);
  if (!places) return failed(places);
  entry.credential.places = std::move(*places);
  if (const JsonNode* ports_node = node.find("ports")) {
    auto ports = read_ports(reader, *ports_node);
    if (!ports) return failed(ports);
    if (ports->empty()) entry.hosts.clear();  // an empty list means none
    entry.ports = std::move(*ports);
  }
  if (const JsonNode* inject = node.find("inject")) {
    const auto word = reader.word_of(*inject, "inject", kInject);
    if (!word) return failed(word);
    entry.credential.always = *word == "always";
  }
  const auto& first = entry.credential.places.front();
  if (entry.credential.always && first.kind == CredentialPlace::Kind::basic && first.name.empty()) {
    return reader.refuse((*as)->offset, "\"inject\": \"always\" needs to know the user: \"basic:USER\"");
  }
  if (const JsonNode* placeholder = node.find("placeholder")) {
    auto prefix = read_prefix(reader, *placeholder);
    if (!prefix) return failed(prefix);
    entry.credential.prefix = std::move(*prefix);
  }
  return entry;
}

Result<SecretEntry> read_secret(const FieldReader& reader, const JsonMember& member) {
  if (!is_identifier(member.key)) {
    return reader.refuse(member.offset,
                         fmt::format("'{}' is no name of a secret: 1 to {} letters, digits and '_', no digit first",
                                     log::printable(member.key, 64), kMaxIdBytes));
  }
  if (auto ok = reader.expect_kind(member.value, Kind::object, member.key, "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(member.value, kSecretKeys); !ok) return failed(ok);
  SecretEntry entry;
  entry.place = reader.place_at(member.offset);
  entry.source.name = member.key;
  const auto from = reader.required(member.value, "from");
  if (!from) return failed(from);
  if (auto ok = read_from(reader, **from, entry.source); !ok) return failed(ok);
  auto bound = read_binding(reader, member.value, entry.source.name);
  if (!bound) return failed(bound);
  entry.bound = std::move(*bound);
  return entry;
}

}  // namespace

Result<std::vector<SecretEntry>> read_secrets(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, Kind::object, "secrets", "an object"); !ok) return failed(ok);
  std::vector<SecretEntry> entries;
  for (const auto& member : section.members) {
    auto entry = read_secret(reader, member);
    if (!entry) return failed(entry);
    entries.push_back(std::move(*entry));
  }
  return entries;
}

}  // namespace gatehouse::policy
