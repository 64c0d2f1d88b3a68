// Numbers that carry check digits or have impossible ranges: cards, accounts, identities of persons.
#pragma once

#include <string_view>

namespace gatehouse::dlp {

// All of these pass over spaces, '-' and '.' between digits, and refuse one digit repeated.

// ISO/IEC 7812: Luhn's check digit, and a length that the network issues under this prefix.
bool is_payment_card(std::string_view text);
// Luhn's check digit alone, over 8 to 19 digits.
bool is_mod10(std::string_view text);
// ISO 13616: the country's length, and mod 97 is 1. Letters in either case.
bool is_iban(std::string_view text);
// A US social security number that can have been issued: area not 000, 666 or 9xx, group not 00, serial not 0000, and
// none of those that were printed in advertisements.
bool is_ssn(std::string_view text);
// Brazil's CPF: 11 digits, the last two are check digits mod 11.
bool is_cpf(std::string_view text);
// India's Aadhaar: 12 digits, Verhoeff's check digit, the first is 2 to 9.
bool is_aadhaar(std::string_view text);
// England's NHS number: 10 digits, the last is a check digit mod 11.
bool is_nhs_number(std::string_view text);

}  // namespace gatehouse::dlp
