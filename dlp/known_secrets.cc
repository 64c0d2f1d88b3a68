#include "dlp/known_secrets.h"

#include <algorithm>
#include <bitset>
#include <cassert>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/secret_source.h"
#include "common/base/wiping.h"
#include "dlp/fingerprint.h"

namespace gatehouse::dlp {
namespace {

constexpr size_t kMaxInputBytes = 8 << 20;  // every byte of every value as \u00xx, and room
constexpr size_t kMinKeyBytes = 16;
constexpr size_t kMaxKeyBytes = 64;
constexpr size_t kMinDistinctBytes = 3;  // of a value, of an indexed run; else it is everywhere ("AAAAA" in base64)
constexpr size_t kMinDistinctFragmentBytes = 5;
constexpr size_t kMaxSameGrams = 4;  // places of one run in one form; a periodic value would have thousands

using Json = nlohmann::json;

size_t distinct(std::string_view text) {
  std::bitset<256> seen;
  for (const char c : text) seen.set(static_cast<unsigned char>(c));
  return seen.count();
}

// Parses without exceptions; the words of an error hold nothing of the text.
Result<Json> parse_tree(std::string_view text) {
  if (text.size() > kMaxInputBytes) return fail("larger than {} bytes", kMaxInputBytes);
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  Json tree = Json::parse(
      text,
      [&](int, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key) twice |= !keys.back().insert(parsed.get<std::string>()).second;
        return true;
      },
      false);
  if (tree.is_discarded()) return fail("is no JSON");
  if (!twice) return tree;
  wipe(tree);
  return fail("a key is given twice");
}

Result<void> only_keys(const Json& object, const std::set<std::string_view>& allowed) {
  if (!object.is_object()) return fail("must be an object");
  for (const auto& item : object.items()) {
    if (allowed.count(item.key()) == 0) return fail("unknown key \"{}\"", log::printable(item.key(), 32));
  }
  return {};
}

Result<std::string> text_member(const Json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end()) return fail("has no \"{}\"", key);
  if (!member->is_string()) return fail("\"{}\" must be a string", key);
  return member->get<std::string>();
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxSecretNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}

Result<std::string> key_from_hex(std::string_view hex) {
  const size_t bytes = hex.size() / 2;
  std::string key(bytes, '\0');
  bool ok = hex.size() % 2 == 0 && bytes >= kMinKeyBytes && bytes <= kMaxKeyBytes;
  for (size_t i = 0; ok && i < bytes; ++i) {
    const char* at = hex.data() + 2 * i;
    uint8_t byte = 0;
    ok = std::from_chars(at, at + 2, byte, 16).ptr == at + 2;
    key[i] = static_cast<char>(byte);
  }
  if (!ok) return fail("\"key\" must be {} to {} bytes in hex", kMinKeyBytes, kMaxKeyBytes);
  return key;
}

Rule rule_for(KnownSecret::Kind kind, const std::string& name, bool whole) {
  using Kind = KnownSecret::Kind;
  Rule rule;
  const bool canary = kind == Kind::canary;
  const std::string_view id = canary ? "canary" : kind == Kind::placeholder ? "placeholder" : "known-secret";
  rule.id = whole || canary ? id : "secret-fragment";
  rule.category = canary ? "canaries" : "known-secrets";
  const std::string what = canary ? "decoy" : kind == Kind::placeholder ? "placeholder of" : "secret";
  const std::string_view part = whole ? (kind == Kind::placeholder ? "" : "value of the ") : "piece of the ";
  rule.title = fmt::format("{}{} {}", part, what, name);
  rule.severity = rule.unconfirmed = whole || canary ? FindingAction::deny : FindingAction::warn;
  rule.direction = RuleDirection::both;
  rule.source = "secrets";
  return rule;
}

}  // namespace

struct KnownSecrets::Given {
  std::string name;
  KnownSecret::Kind kind;
  std::string value;
};

bool KnownSecret::is_fragment(Span positions) const {
  const size_t telling = counted(positions);
  if (counted() < kMinFragmentBytes || telling < kMinPieceBytes) return false;
  const std::string_view seen = text.substr(positions.begin, positions.size());
  if (distinct(seen) < kMinDistinctFragmentBytes) return false;
  return telling >= (kind == Kind::canary ? kMinFragmentBytes : kMaxThresholdBytes) || looks_random(seen);
}

Result<std::vector<KnownSecrets::Given>> KnownSecrets::read(std::string_view json, std::string& key) {
  auto tree = parse_tree(json);
  if (!tree) return failed(tree);
  const Wiping<Json> wiping{*tree};
  if (auto ok = only_keys(*tree, {"secrets", "canaries", "key"}); !ok) return failed(ok);

  if (tree->contains("key")) {
    auto hex = text_member(*tree, "key");
    if (!hex) return failed(hex);
    const Wiping<std::string> wiping_hex{*hex};
    auto bytes = key_from_hex(*hex);
    if (!bytes) return failed(bytes);
    key = std::move(*bytes);
  }

  std::vector<Given> given;
  std::set<std::string> names;
  size_t total = 0;
  const auto read_list = [&](const char* list, KnownSecret::Kind kind) -> Result<void> {
    const auto items = tree->find(list);
    if (items == tree->end()) return {};
    if (!items->is_array()) return fail("\"{}\" must be a list", list);
    for (size_t i = 0; i < items->size(); ++i) {
      if (given.size() >= kMaxSecrets) return fail("more than {} secrets and canaries", kMaxSecrets);
      const Json& item = (*items)[i];
      std::string where = fmt::format("{}[{}]", list, i);
      const bool known = kind == KnownSecret::Kind::known;
      const auto keys = known ? std::set<std::string_view>{"name", "value", "placeholder"}
                              : std::set<std::string_view>{"name", "value"};
      if (auto ok = only_keys(item, keys); !ok) return failed(ok, where);
      auto name = text_member(item, "name");
      if (!name) return failed(name, where);
      if (!is_name(*name))
        return fail("{}: \"name\" must be 1 to {} letters, digits or ._-", where, kMaxSecretNameBytes);
      where += fmt::format(" ({})", *name);
      if (!names.insert(*name).second) return fail("{}: the name is taken", where);
      auto value = text_member(item, "value");
      if (!value) return failed(value, where);
      while (!value->empty() && (value->back() == '\n' || value->back() == '\r')) value->pop_back();
      given.push_back({std::move(*name), kind, std::move(*value)});
      const std::string& kept = given.back().value;
      total += kept.size();
      if (kept.size() < kMinSecretBytes) {
        return fail("{}: a value of {} bytes would be found everywhere: give one of {} or more, or take it out", where,
                    kept.size(), kMinSecretBytes);
      }
      if (kept.size() > kMaxSecretBytes) return fail("{}: the value is larger than {} bytes", where, kMaxSecretBytes);
      if (total > kMaxAllSecretsBytes) return fail("the values are larger than {} bytes together", kMaxAllSecretsBytes);
      if (distinct(kept) < kMinDistinctBytes) {
        return fail("{}: a value of fewer than {} different bytes would be found everywhere", where, kMinDistinctBytes);
      }
      if (item.contains("placeholder")) {
        const auto placeholder = text_member(item, "placeholder");
        if (!placeholder) return failed(placeholder, where);
        if (placeholder->size() < kPlaceholderBytes) {
          return fail("{}: a placeholder ends with {} bytes of its own", where, kPlaceholderBytes);
        }
        given.push_back({given.back().name, KnownSecret::Kind::placeholder,
                         placeholder->substr(placeholder->size() - kPlaceholderBytes)});
      }
    }
    return {};
  };
  Result<void> ok = read_list("secrets", KnownSecret::Kind::known);
  if (ok) ok = read_list("canaries", KnownSecret::Kind::canary);
  if (ok) return given;
  for (Given& one : given) wipe(one.value);
  return failed(ok);
}

Result<KnownSecrets> KnownSecrets::parse(std::string_view json) {
  std::string key;
  const Wiping<std::string> wiping{key};
  auto given = read(json, key);
  if (!given) return failed(given);
  if (key.empty()) {
    auto drawn = Fingerprinter::random_key();
    if (!drawn) return failed(drawn);
    key = std::move(*drawn);
  }
  KnownSecrets known;
  auto kept = SecretBytes::copy_of(key);
  if (!kept) return failed(kept);
  known.key_ = std::move(*kept);
  const auto added = known.add_all(*given);
  for (Given& one : *given) wipe(one.value);
  if (!added) return failed(added);
  return known;
}

Result<KnownSecrets> KnownSecrets::load(const std::string& source) {
  auto text = read_secret_source(source, kMaxInputBytes);
  if (!text) return failed(text);
  const Wiping<std::string> wiping{*text};
  auto known = parse(*text);
  if (!known) return failed(known, source);
  return known;
}

Result<void> KnownSecrets::add_all(const std::vector<Given>& given) {
  std::vector<ShapedSecret> shapes;
  std::string all;
  size_t total = 0;
  for (const Given& one : given) {
    const ShapedSecret& shape = shapes.emplace_back(shape_secret(one.value));
    total += shape.text.size();
    for (const SecretForm& form : shape.forms) total += form.bytes.size();
  }
  all.reserve(total);  // no copies left behind by growing
  const Wiping<std::string> wiping{all};
  for (ShapedSecret& shape : shapes) {
    all += shape.text;
    wipe(shape.text);
    for (SecretForm& form : shape.forms) {
      all += form.bytes;
      wipe(form.bytes);
    }
  }
  auto kept = SecretBytes::copy_of(all);
  if (!kept) return failed(kept);
  bytes_ = std::move(*kept);

  size_t at = 0;
  const auto take = [&](size_t size) {
    at += size;
    return bytes_.view().substr(at - size, size);
  };
  for (size_t i = 0; i < shapes.size(); ++i) {
    KnownSecret& secret = secrets_.emplace_back();
    secret.name = given[i].name;
    secret.kind = given[i].kind;
    secret.text = take(shapes[i].text.size());
    secret.whole = rule_for(secret.kind, secret.name, true);
    secret.fragment = rule_for(secret.kind, secret.name, false);
    secret.counted_before.push_back(0);
    for (const bool counts : shapes[i].counts) secret.counted_before.push_back(secret.counted_before.back() + counts);
    secret.threshold = std::clamp(secret.counted() * 2 / 5, kMinFragmentBytes, kMaxThresholdBytes);
    for (SecretForm& form : shapes[i].forms) {
      const size_t size = form.bytes.size();
      form.bytes.clear();
      forms_.push_back({static_cast<uint32_t>(i), take(size), std::move(form)});
      index(static_cast<uint32_t>(forms_.size() - 1));
    }
  }
  grams_.build();
  short_grams_.build();
  return {};
}

void KnownSecrets::index(uint32_t form) {
  const std::string_view bytes = forms_[form].bytes;
  const auto add = [&](GramIndex& grams, uint32_t offset) {
    grams.add(bytes.substr(offset, grams.gram_bytes()), {form, offset});
  };
  // Where a whole secret begins every run is looked for, so that one of them is met.
  std::set<uint32_t> always;
  for (const Span whole : forms_[form].shape.whole) {
    if (whole.size() >= kMinPieceBytes) {
      for (uint32_t i = 0; i < grams_.stride(); ++i) always.insert(whole.begin + i);
    } else {
      for (uint32_t i = 0; i < short_grams_.stride(); ++i) add(short_grams_, whole.begin + i);
    }
  }
  for (const uint32_t offset : always) add(grams_, offset);
  std::map<std::string_view, size_t> seen;
  for (uint32_t offset = 0; offset + grams_.gram_bytes() <= bytes.size(); ++offset) {
    const std::string_view gram = bytes.substr(offset, grams_.gram_bytes());
    if (always.count(offset) != 0 || distinct(gram) < kMinDistinctBytes || ++seen[gram] > kMaxSameGrams) continue;
    add(grams_, offset);
  }
}

}  // namespace gatehouse::dlp
