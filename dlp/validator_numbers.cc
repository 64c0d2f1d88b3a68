#include "dlp/validator_numbers.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

namespace gatehouse::dlp {
namespace {

constexpr size_t kMaxDigits = 40;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_separator(char c) { return c == ' ' || c == '-' || c == '.'; }

// The digits of `text` without what separates them; empty when there is anything else, too many, or one digit only.
std::string digits_of(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (is_separator(c)) continue;
    if (!is_digit(c) || digits.size() == kMaxDigits) return {};
    digits += c;
  }
  const bool varied = digits.find_first_not_of(digits.substr(0, 1)) != std::string::npos;
  return varied ? digits : std::string();
}

bool luhn(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, doubled = !doubled) {
    const int value = (*digit - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

// The first `count` digits as a number.
int leading(std::string_view digits, size_t count) {
  int value = 0;
  for (const char digit : digits.substr(0, count)) value = value * 10 + (digit - '0');
  return value;
}

// Issuer ranges by their first six digits, and the lengths of numbers that networks issue in them.
struct IssuerRange {
  int first, last;
  size_t shortest, longest;
};
constexpr IssuerRange issuer_ranges[] = {
    {220000, 220499, 16, 19},  // Mir
    {222100, 272099, 16, 16},  // Mastercard
    {300000, 305999, 14, 19},  // Diners Club
    {309500, 309599, 14, 19},  //
    {340000, 349999, 15, 15},  // American Express
    {352800, 358999, 16, 19},  // JCB
    {360000, 369999, 14, 19},  // Diners Club
    {370000, 379999, 15, 15},  // American Express
    {380000, 399999, 16, 19},  // Diners Club
    {400000, 499999, 16, 19},  // Visa
    {500000, 509999, 12, 19},  // Maestro, RuPay
    {510000, 559999, 16, 16},  // Mastercard
    {560000, 589999, 12, 19},  // Maestro
    {600000, 699999, 16, 19},  // Discover, UnionPay, RuPay, Maestro
    {810000, 817199, 16, 19},  // UnionPay
};

struct IbanLength {
  char country[3];
  uint8_t length;
};
constexpr IbanLength iban_lengths[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
    {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28},
    {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22},
    {"MK", 19}, {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
    {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
};

// Verhoeff's check digit: a step along the dihedral group D5 for each digit, which its place permutes.
bool verhoeff(std::string_view digits) {
  static constexpr uint8_t permutation[8][10] = {
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
      {8, 9, 1, 6, 0, 4, 3, 5, 2, 7}, {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
      {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
  };
  int state = 0;
  for (size_t place = 0; place < digits.size(); ++place) {
    const int next = permutation[place % 8][digits[digits.size() - 1 - place] - '0'];
    if (state < 5) {
      state = next < 5 ? (state + next) % 5 : 5 + (state + next - 5) % 5;
    } else {
      state = next < 5 ? 5 + (state - 5 - next + 5) % 5 : (state - next + 5) % 5;
    }
  }
  return state == 0;
}

// The CPF's check digit over the digits before it: weights fall to 2.
char cpf_digit(std::string_view digits) {
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) sum += (digits[i] - '0') * static_cast<int>(digits.size() + 1 - i);
  const int rest = sum * 10 % 11 % 10;
  return static_cast<char>('0' + rest);
}

}  // namespace

bool is_payment_card(std::string_view text) {
  const std::string digits = digits_of(text);
  if (digits.size() < 12 || !luhn(digits)) return false;
  const int issuer = leading(digits, 6);
  return std::any_of(std::begin(issuer_ranges), std::end(issuer_ranges), [&](const IssuerRange& range) {
    return issuer >= range.first && issuer <= range.last && digits.size() >= range.shortest &&
           digits.size() <= range.longest;
  });
}

bool is_mod10(std::string_view text) {
  const std::string digits = digits_of(text);
  return digits.size() >= 8 && digits.size() <= 19 && luhn(digits);
}

bool is_iban(std::string_view text) {
  std::string account;
  for (const char c : text) {
    if (is_separator(c)) continue;
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if ((!letter && !is_digit(c)) || account.size() == kMaxDigits) return false;
    account += letter ? static_cast<char>(c & ~0x20) : c;
  }
  if (account.size() < 5) return false;
  const bool known_length = std::any_of(std::begin(iban_lengths), std::end(iban_lengths), [&](const IbanLength& entry) {
    return account.compare(0, 2, entry.country) == 0 && account.size() == entry.length;
  });
  if (!known_length) return false;
  std::rotate(account.begin(), account.begin() + 4, account.end());
  int rest = 0;
  for (const char c : account) rest = is_digit(c) ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
  return rest == 1;
}

bool is_ssn(std::string_view text) {
  const std::string digits = digits_of(text);
  if (digits.size() != 9) return false;
  const int area = leading(digits, 3);
  if (area == 0 || area == 666 || area >= 900) return false;
  if (digits.compare(3, 2, "00") == 0 || digits.compare(5, 4, "0000") == 0) return false;
  // The two that were printed in wallets and advertisements, and used by thousands.
  return digits != "078051120" && digits != "219099999";
}

bool is_cpf(std::string_view text) {
  const std::string digits = digits_of(text);
  const std::string_view view = digits;
  return digits.size() == 11 && cpf_digit(view.substr(0, 9)) == digits[9] &&
         cpf_digit(view.substr(0, 10)) == digits[10];
}

bool is_aadhaar(std::string_view text) {
  const std::string digits = digits_of(text);
  return digits.size() == 12 && digits[0] >= '2' && verhoeff(digits);
}

bool is_nhs_number(std::string_view text) {
  const std::string digits = digits_of(text);
  if (digits.size() != 10) return false;
  int sum = 0;
  for (int i = 0; i < 9; ++i) sum += (digits[static_cast<size_t>(i)] - '0') * (10 - i);
  const int check = (11 - sum % 11) % 11;
  return check < 10 && digits[9] - '0' == check;
}

}  // namespace gatehouse::dlp
