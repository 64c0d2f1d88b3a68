#include "proxy/credential_injection.h"

#include <algorithm>

#include "proxy/request_parts.h"

namespace gatehouse::proxy {

namespace {

using Kind = policy::CredentialPlace::Kind;

constexpr char kBlank = '*';
constexpr std::string_view kAuthorization = "Authorization";
constexpr std::string_view kIdentity = "identity";
constexpr std::string_view kPairSeparators = "&;";

// RFC 9110 section 11.4: the scheme, and what follows it.
struct Credentials {
  std::string_view scheme;
  std::string_view rest;
  size_t begin = 0;  // of rest
};
Credentials split_credentials(std::string_view value) {
  const size_t end = std::min(value.find(' '), value.size());
  const size_t begin = std::min(value.find_first_not_of(' ', end), value.size());
  return {value.substr(0, end), value.substr(begin), begin};
}

size_t query_begin(std::string_view path) {
  const size_t mark = path.find('?');
  return mark == std::string_view::npos ? path.size() : mark + 1;
}

// A part of an answer could hold a part of a secret, and a packed one hides it.
void ask_for_plain_answers(Fields& fields) {
  constexpr std::string_view kDropped[] = {"Accept-Encoding", "Range", "If-Range"};
  std::erase_if(fields, [&](const Field& field) {
    return std::any_of(std::begin(kDropped), std::end(kDropped),
                       [&](std::string_view known) { return same_cgi_name(field.name, known); });
  });
  fields.push_back({"Accept-Encoding", std::string(kIdentity)});
}

}  // namespace

CredentialInjection::CredentialInjection(const CredentialTable& table, const Target& target)
    : bound_(table.bound_to(target)) {}

// "token VALUE" is how GitHub's clients write it.
bool CredentialInjection::take_bearer(const BoundCredential& credential, const Place&, std::string_view value,
                                      Blank& blank) const {
  const auto [scheme, rest, begin] = split_credentials(value);
  if (!same_token(scheme, "Bearer") && !same_token(scheme, "token")) return false;
  if (rest != credential.value->placeholder) return false;
  blank.begin = begin;
  blank.length = rest.size();
  return true;
}

bool CredentialInjection::take_basic(const BoundCredential& credential, const Place& place, std::string_view value,
                                     Blank& blank) const {
  const auto [scheme, rest, begin] = split_credentials(value);
  if (!same_token(scheme, "Basic")) return false;
  const auto decoded = from_base64(rest);
  const size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) return false;
  const std::string user = decoded->substr(0, colon);
  const std::string password = decoded->substr(colon + 1);
  const std::string& placeholder = credential.value->placeholder;
  if (password == placeholder && (place.name.empty() || place.name == user)) {
    blank.before = user + ":";
  } else if (user == placeholder && place.name.empty()) {
    blank.after = ":" + password;
  } else {
    return false;
  }
  blank.begin = begin;
  blank.length = rest.size();
  return true;
}

bool CredentialInjection::take_field(Fields& fields, size_t index) {
  std::string& value = fields[index].value;
  const size_t before = blanks_.size();
  const auto take = [&](Blank blank) {
    blank.field = index;
    blank.written = value.substr(blank.begin, blank.length);
    value.replace(blank.begin, blank.length, blank.length, kBlank);
    blanks_.push_back(std::move(blank));
  };
  for (const auto* credential : bound_) {
    for (const auto& place : credential->rule.places) {
      if (place.kind == Kind::query || !same_cgi_name(fields[index].name, place.field())) continue;
      Blank blank{.credential = credential, .place = &place};
      if (place.kind == Kind::bearer && take_bearer(*credential, place, value, blank)) take(std::move(blank));
      if (place.kind == Kind::basic && take_basic(*credential, place, value, blank)) take(std::move(blank));
      if (place.kind != Kind::header) continue;
      const std::string& placeholder = credential->value->placeholder;
      for (size_t at = 0; (at = value.find(placeholder, at)) != std::string::npos; at += placeholder.size()) {
        blank.begin = at;
        blank.length = placeholder.size();
        take(blank);
      }
    }
  }
  return blanks_.size() > before;
}

// A credential whose place this is and that is sent in any case; null for none.
const BoundCredential* CredentialInjection::always_in(std::string_view field, std::string_view parameter) const {
  for (const auto* credential : bound_) {
    if (!credential->rule.always) continue;
    for (const auto& place : credential->rule.places) {
      const bool here = place.kind == Kind::query ? !parameter.empty() && place.name == parameter
                                                  : !field.empty() && same_cgi_name(field, place.field());
      if (here) return credential;
    }
  }
  return nullptr;
}

bool CredentialInjection::holds_only_placeholder(std::string_view parameter, std::string_view value) const {
  return std::any_of(bound_.begin(), bound_.end(), [&](const BoundCredential* credential) {
    return value == credential->value->placeholder &&
           std::any_of(credential->rule.places.begin(), credential->rule.places.end(),
                       [&](const Place& place) { return place.kind == Kind::query && place.name == parameter; });
  });
}

void CredentialInjection::drop_foreign_parameters(std::string& path) const {
  const auto pairs = split_pairs(path, query_begin(path), kPairSeparators);
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    const auto name = parameter_decoded(std::string_view(path).substr(pair->name, pair->name_length));
    const auto value = std::string_view(path).substr(pair->value, pair->value_length);
    if (always_in({}, name) == nullptr || holds_only_placeholder(name, value)) continue;
    // With what separates it from the one before: '?' stays.
    const size_t end = pair->value + pair->value_length;
    const size_t begin = path[pair->name - 1] == '?' ? pair->name : pair->name - 1;
    path.erase(begin, end - begin);
  }
}

// False when a parameter that is for a placeholder holds something else; its name is in `foreign`.
bool CredentialInjection::take_parameters(std::string& path, std::string& foreign) {
  drop_foreign_parameters(path);
  for (const Pair& pair : split_pairs(path, query_begin(path), kPairSeparators)) {
    const auto name = parameter_decoded(std::string_view(path).substr(pair.name, pair.name_length));
    bool named = false;
    bool taken = false;
    for (const auto* credential : bound_) {
      for (const auto& place : credential->rule.places) {
        if (taken || place.kind != Kind::query || place.name != name) continue;
        named = true;
        if (std::string_view(path).substr(pair.value, pair.value_length) != credential->value->placeholder) continue;
        taken = true;
        blanks_.push_back({.credential = credential,
                           .place = &place,
                           .in_path = true,
                           .begin = pair.value,
                           .length = pair.value_length,
                           .written = path.substr(pair.value, pair.value_length)});
        path.replace(pair.value, pair.value_length, pair.value_length, kBlank);
      }
    }
    if (!named || taken) continue;
    foreign = name;
    return false;
  }
  return true;
}

Decision CredentialInjection::foreign(std::string_view where, const std::string& host) const {
  return {
      Verdict::deny, "credential.foreign",
      fmt::format("{} of requests to {} is for the placeholder of {} alone: send it as it stands in the environment, "
                  "or leave this out",
                  where, host, bound_.front()->rule.secret)};
}

std::optional<Decision> CredentialInjection::take_out(RequestHead& head) {
  if (!bound()) return std::nullopt;
  ask_for_plain_answers(head.fields);
  for (size_t i = 0; i < head.fields.size();) {
    const Field& field = head.fields[i];
    const bool named = std::any_of(bound_.begin(), bound_.end(), [&](const BoundCredential* credential) {
      return std::any_of(credential->rule.places.begin(), credential->rule.places.end(), [&](const Place& place) {
        return place.kind != Kind::query && same_cgi_name(field.name, place.field());
      });
    });
    // There are other cookies.
    if (!named || take_field(head.fields, i) || same_token(field.name, "Cookie")) {
      ++i;
    } else if (always_in(field.name, {}) != nullptr) {
      head.fields.erase(head.fields.begin() + static_cast<ptrdiff_t>(i));
    } else {
      return foreign("the header " + lower_case(field.name), head.host);
    }
  }
  std::string parameter;
  if (!take_parameters(head.path, parameter)) return foreign("a query parameter", head.host);
  for (const auto* credential : bound_) {
    if (!credential->rule.always) continue;
    const bool there =
        std::any_of(blanks_.begin(), blanks_.end(), [&](const Blank& blank) { return blank.credential == credential; });
    const auto field = credential->rule.places.front().field();
    const bool taken = !field.empty() && std::any_of(head.fields.begin(), head.fields.end(), [&](const Field& other) {
      return same_cgi_name(other.name, field);
    });
    if (!there && !taken) additions_.push_back(credential);
  }
  return std::nullopt;
}

// What takes the blank's place.
std::string CredentialInjection::substance(const Blank& blank) const {
  const auto value = blank.credential->value->bytes.view();
  switch (blank.place->kind) {
    case Kind::bearer:
    case Kind::header:
      return std::string(value);
    case Kind::basic: {
      const WipedText pair(fmt::format("{}{}{}", blank.before, value, blank.after));
      return base64(pair.text());
    }
    case Kind::query:
      return percent_encoded(value);
  }
  return {};
}

void CredentialInjection::add(RequestHead& head, const BoundCredential& credential) {
  const auto value = credential.value->bytes.view();
  const auto& place = credential.rule.places.front();
  switch (place.kind) {
    case Kind::bearer:
      head.fields.push_back({std::string(kAuthorization), fmt::format("Bearer {}", value)});
      return;
    case Kind::basic: {
      const WipedText pair(fmt::format("{}:{}", place.name, value));
      const std::string& placeholder = credential.value->placeholder;
      echoes_.emplace_back(base64(pair.text()), base64(place.name + ":" + placeholder));
      head.fields.push_back({std::string(kAuthorization), "Basic " + echoes_.back().first.text()});
      return;
    }
    case Kind::header:
      head.fields.push_back({place.name, std::string(value)});
      return;
    case Kind::query: {
      const std::string_view separator = head.path.find('?') == std::string::npos ? "?"
                                         : head.path.ends_with('?')               ? ""
                                                                                  : "&";
      head.path.append(separator).append(place.name).append("=").append(percent_encoded(value));
      return;
    }
  }
}

void CredentialInjection::put_in(RequestHead& head) {
  // From the back, so that what is before keeps its place.
  std::stable_sort(blanks_.begin(), blanks_.end(), [](const Blank& a, const Blank& b) { return a.begin > b.begin; });
  for (const Blank& blank : blanks_) {
    std::string& text = blank.in_path ? head.path : head.fields[blank.field].value;
    const WipedText value(substance(blank));
    std::string whole;
    whole.reserve(text.size() + value.text().size());
    whole.append(text, 0, blank.begin).append(value.text()).append(text, blank.begin + blank.length);
    OPENSSL_cleanse(text.data(), text.size());
    text = std::move(whole);
    if (blank.place->kind == Kind::basic) echoes_.emplace_back(std::string(value.text()), blank.written);
  }
  for (const auto* credential : additions_) add(head, *credential);
}

void CredentialInjection::wipe(RequestHead& head) const {
  if (blanks_.empty() && additions_.empty()) return;
  for (Field& field : head.fields) OPENSSL_cleanse(field.value.data(), field.value.size());
  OPENSSL_cleanse(head.path.data(), head.path.size());
}

std::string CredentialInjection::words() const {
  std::vector<std::string> said;
  const auto say = [&](const BoundCredential& credential, const Place& place) {
    auto words = fmt::format("{} ({})", credential.rule.secret, place.to_string());
    if (std::find(said.begin(), said.end(), words) == said.end()) said.push_back(std::move(words));
  };
  for (const Blank& blank : blanks_) say(*blank.credential, *blank.place);
  for (const auto* credential : additions_) say(*credential, credential->rule.places.front());
  std::string all;
  for (const auto& words : said) all += (all.empty() ? "with the secret " : ", ") + words;
  return all;
}

std::unique_ptr<ResponseRestorer> CredentialInjection::restorer() const {
  if (!bound()) return nullptr;
  std::vector<ResponseRestorer::Echo> echoes;
  for (const auto* credential : bound_) {
    echoes.push_back({credential->value->bytes.view(), credential->value->placeholder});
    for (const auto& echo : credential->echoes) echoes.push_back({echo.view(), credential->value->placeholder});
  }
  for (const auto& [sent, known] : echoes_) echoes.push_back({sent.text(), known});
  return std::make_unique<ResponseRestorer>(std::move(echoes));
}

}  // namespace gatehouse::proxy
