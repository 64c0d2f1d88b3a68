#include <algorithm>

#include "common/base/log.h"
#include "common/git/object_id.h"
#include "common/policy/finding_words.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

Result<FindingSelector> read_selector(const FieldReader& reader, const JsonNode& item, std::string_view key) {
  auto name = reader.text_of(item, key);
  if (!name) return failed(name);
  if (!is_finding_rule_id(*name)) {
    const auto categories = finding_categories();
    return reader.refuse(
        item.offset, fmt::format("'{}' is no rule id (lower-case letters, digits and '-'){}", log::printable(*name, 64),
                                 suggest(*name, {categories.begin(), categories.end()})));
  }
  const bool is_category = is_finding_category(*name);
  return FindingSelector{std::move(*name), is_category, reader.place_of(item)};
}

Result<void> read_list(const FieldReader& reader, const JsonNode& section, FindingAction action,
                       std::vector<ListedFinding>& listed) {
  const std::string_view key = to_string(action);
  const JsonNode* node = section.find(key);
  if (node == nullptr) return {};
  const auto list =
      reader.list_of_items<FindingSelector>(*node, key, "a list of rule ids and categories",
                                            [&](const JsonNode& item) { return read_selector(reader, item, key); });
  if (!list) return failed(list);
  for (const auto& selector : *list) {
    const auto twin = std::find_if(listed.begin(), listed.end(),
                                   [&](const ListedFinding& other) { return other.selector.name == selector.name; });
    if (twin != listed.end()) {
      return tl::unexpected(selector.place.error(fmt::format(
          "'{}' is in '{}' already, at {}", selector.name, to_string(twin->action), twin->selector.place.to_string())));
    }
    if (action != FindingAction::deny && is_unscanned(selector.name)) {
      return tl::unexpected(selector.place.error(
          fmt::format("'{}' can only be denied: {}", selector.name, why_never_exempt(selector.name))));
    }
    listed.push_back({selector, action});
  }
  return {};
}

Result<void> read_hosts(const FieldReader& reader, const JsonNode& node, Exemption& exemption) {
  for (const std::string_view key : {"paths", "objects"}) {
    if (const JsonNode* place = node.find(key)) {
      return reader.refuse(place->offset, fmt::format("'{}' needs 'remotes', to which a push goes", key));
    }
  }
  auto hosts = reader.hosts_of(node, "hosts");
  if (!hosts) return failed(hosts);
  if (hosts->empty()) {
    return reader.refuse(node.find("hosts")->offset, "'hosts' is empty; an exemption names the hosts it is for");
  }
  exemption.hosts = std::move(*hosts);
  return {};
}

Result<std::string> parse_object(const std::string& text) {
  if (!git::is_object_id(text, git::ObjectFormat::sha1) && !git::is_object_id(text, git::ObjectFormat::sha256)) {
    return fail("'{}' is no object's id; write all of its 40 or 64 hex digits in small letters",
                log::printable(text, 100));
  }
  return text;
}

// What may be in a push to some remotes.
Result<void> read_places(const FieldReader& reader, const JsonNode& node, Exemption& exemption) {
  if (const JsonNode* hosts = node.find("hosts")) {
    return reader.refuse(hosts->offset, "an exemption has either 'hosts' or 'remotes'");
  }
  auto remotes = read_remotes(reader, node, Verdict::allow);
  if (!remotes) return failed(remotes);
  exemption.remotes = std::move(*remotes);
  if (const JsonNode* paths = node.find("paths")) {
    auto list = reader.parsed_strings<PathGlob>(*paths, "paths", parse_repository_glob);
    if (!list) return failed(list);
    exemption.paths = std::move(*list);
  }
  if (const JsonNode* objects = node.find("objects")) {
    auto list = reader.parsed_strings<std::string>(*objects, "objects", parse_object);
    if (!list) return failed(list);
    exemption.objects = std::move(*list);
  }
  if (exemption.remotes.empty() || (exemption.paths.empty() && exemption.objects.empty())) {
    return reader.refuse(node.offset, "an exemption of a push names 'remotes', and 'paths' or 'objects' there");
  }
  return {};
}

Result<Exemption> read_exemption(const FieldReader& reader, const JsonNode& node) {
  if (auto ok = reader.expect_object_item(node, "exempt"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kExemptionKeys); !ok) return failed(ok);
  Exemption exemption;
  exemption.place = reader.place_of(node);
  auto id = reader.id_of(node);
  if (!id) return failed(id);
  exemption.id = std::move(*id);

  const auto rule_node = reader.required(node, "rule");
  if (!rule_node) return failed(rule_node);
  auto rule = read_selector(reader, **rule_node, "rule");
  if (!rule) return failed(rule);
  exemption.rule = std::move(*rule);
  const std::string& name = exemption.rule.name;
  // An object's id says what is in it, so that somebody can have looked through it.
  const bool named = is_unscanned(name) && !exemption.rule.is_category && node.find("objects") != nullptr &&
                     node.find("paths") == nullptr && node.find("hosts") == nullptr;
  if (const auto why = why_never_exempt(name); !why.empty() && !named) {
    return reader.refuse((*rule_node)->offset, fmt::format("'{}' cannot be exempted: {}", name, why));
  }
  if (exemption.rule.is_category) {
    return reader.refuse((*rule_node)->offset, fmt::format("'{}' is a category; an exemption names one rule", name));
  }

  auto where =
      node.find("remotes") != nullptr ? read_places(reader, node, exemption) : read_hosts(reader, node, exemption);
  if (!where) return failed(where);
  auto reason = reader.reason_of(node);
  if (!reason) return failed(reason);
  exemption.reason = std::move(*reason);
  return exemption;
}

}  // namespace

Result<DlpRules> read_dlp(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, JsonNode::Kind::object, "dlp", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(section, kDlpKeys); !ok) return failed(ok);
  DlpRules rules;
  for (const auto action : {FindingAction::deny, FindingAction::redact, FindingAction::warn}) {
    if (auto ok = read_list(reader, section, action, rules.listed); !ok) return failed(ok);
  }
  if (const JsonNode* exempt = section.find("exempt")) {
    auto list = reader.list_of_items<Exemption>(*exempt, "exempt", "a list of objects",
                                                [&](const JsonNode& node) { return read_exemption(reader, node); });
    if (!list) return failed(list);
    rules.exempt = std::move(*list);
  }
  return rules;
}

}  // namespace gatehouse::policy
