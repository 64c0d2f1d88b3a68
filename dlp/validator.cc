#include "dlp/validator.h"

#include <algorithm>
#include <iterator>

#include "dlp/validator_keys.h"
#include "dlp/validator_numbers.h"
#include "dlp/validator_tokens.h"

namespace gatehouse::dlp {
namespace {

struct Entry {
  std::string_view name;
  Validator validator;
};

constexpr Entry entries[] = {
    {"aadhaar", is_aadhaar},
    {"aws-access-key", is_aws_access_key},
    {"base58check", is_base58check},
    {"base64-32", is_base64_of_32},
    {"base64-64", is_base64_of_64},
    {"basic-auth", is_basic_auth},
    {"bech32", is_bech32},
    {"btc-wif", is_bitcoin_wif},
    {"cpf", is_cpf},
    {"discord-token", is_discord_token},
    {"eth-private-key", is_secp256k1_scalar},
    {"github-crc32", is_github_crc32},
    {"hex", is_hex_key},
    {"iban", is_iban},
    {"jwt", is_jwt},
    {"luhn", is_payment_card},
    {"mod10", is_mod10},
    {"nhs-number", is_nhs_number},
    {"not-placeholder", is_no_placeholder},
    {"pem", is_pem},
    {"ssn", is_ssn},
    {"uuid", is_uuid},
};
static_assert(std::is_sorted(std::begin(entries), std::end(entries),
                             [](const Entry& a, const Entry& b) { return a.name < b.name; }));

}  // namespace

Validator find_validator(std::string_view name) {
  const auto* found = std::lower_bound(std::begin(entries), std::end(entries), name,
                                       [](const Entry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != std::end(entries) && found->name == name ? found->validator : nullptr;
}

std::vector<std::string_view> validator_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  return names;
}

}  // namespace gatehouse::dlp
