// Texts in which '*' stands for any characters, also none: values and names of query parameters and headers.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse::policy {

// Whether 'a' and 'A' are the same: some servers take them so.
enum class Case { told_apart, ignored };

// Takes time proportional to the text times the glob at worst; allocates nothing.
bool glob_matches(std::string_view glob, std::string_view text, Case letters);

// ASCII letters only.
std::string fold_case(std::string_view text);

}  // namespace gatehouse::policy
