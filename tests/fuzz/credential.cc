// The first byte says where the answer is cut, then a zero-ended request's path, a zero-ended Authorization field, and
// the answer. "$P" in them is a placeholder, "$V" the value. Whatever the guest sends: the value goes where the policy
// says and nowhere else, nothing of the blanked head is moved, and no answer brings the value back.
#include <cstdlib>

#include "proxy/credential_injection.h"

using namespace gatehouse;
using namespace gatehouse::proxy;

namespace {

const std::string kValue = "v4lue/of+T";
const std::string kPlaceholder = "gatehouse-placeholder-T-00112233445566778899aabbccddeeff";

void require(bool holds) {
  if (!holds) std::abort();
}

struct House {
  policy::Policy policy = *policy::Policy::parse({{"t.json", R"({"version": 1, "secrets": {
      "T": {"from": "env:T", "hosts": ["a.example.com"], "as": ["bearer", "basic", "query:key", "header:x-api-key"]}}})"}});
  CredentialValues values = *CredentialValues::parse(R"({"secrets": [{"name": "T", "value": ")" + kValue +
                                                     R"(", "placeholder": ")" + kPlaceholder + "\"}]}");
  CredentialTable table = *CredentialTable::create(policy, values);
};

std::string filled(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto sign = text.substr(i, 2);
    if (sign == "$P" || sign == "$V") {
      out += sign == "$P" ? kPlaceholder : kValue;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view take_text(std::string_view& input) {
  const size_t end = std::min(input.find('\0'), input.size());
  const auto text = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return text;
}

size_t size_of(const RequestHead& head) {
  size_t size = head.path.size();
  for (const Field& field : head.fields) size += field.name.size() + field.value.size();
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const House house;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const size_t piece = static_cast<uint8_t>(input[0]) % 64 + 1;
  input.remove_prefix(1);
  RequestHead head;
  head.path = "/" + filled(take_text(input));
  head.fields = {{"Authorization", filled(take_text(input))}, {"X-Api-Key", kPlaceholder}, {"X-Other", kPlaceholder}};
  const bool own = filled(input).find(kValue) == std::string::npos;

  CredentialInjection elsewhere(house.table, {Scheme::https, "b.example.com", 443});
  RequestHead untouched = head;
  require(!elsewhere.take_out(untouched) && !elsewhere.bound() && elsewhere.words().empty());
  elsewhere.put_in(untouched);
  require(untouched.path == head.path && untouched.fields == head.fields);

  CredentialInjection injection(house.table, {Scheme::https, "a.example.com", 443});
  const size_t before = size_of(head);
  if (injection.take_out(head)) return 0;
  // One field more, and nothing else longer or shorter.
  require(size_of(head) == before + std::string_view("Accept-Encodingidentity").size());
  require(head.fields[1].value.find(kPlaceholder) == std::string::npos);
  const Field other = head.fields[2];
  injection.put_in(head);
  require(head.fields[1].value == kValue && head.fields[2] == other && other.value == kPlaceholder);

  const auto restorer = injection.restorer();
  const std::string answer = filled(input);
  std::string told;
  for (size_t at = 0; at < answer.size(); at += piece) {
    told += restorer->restore_body(std::string_view(answer).substr(at, piece));
  }
  told += restorer->finish_body();
  require(told.find(kValue) == std::string::npos);
  const auto whole = injection.restorer();
  std::string at_once(whole->restore_body(answer));
  at_once += whole->finish_body();
  require(told == at_once);
  require(!own || restorer->restored() > 0 || told == answer);
  injection.wipe(head);
  return 0;
}
