// What documentation writes where a secret would stand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::dlp {

// Whether all of `secret`, after one of the rule's keywords that it may begin with, is a placeholder and nothing else:
// fillers ("xxxx-xxxx", "****"), words that say so ("your-api-key-here", "example_token"), or a variable's or slot's
// name ("${API_KEY}", "<token>"). Repeated letters other than x are none. Nothing with a digit in it is one: the guest
// knows this list.
bool is_placeholder(std::string_view secret, const std::vector<std::string>& keywords);

}  // namespace gatehouse::dlp
