// Header fields as MIME writes them: "Content-Disposition: form-data; name=\"a\"". Lenient, since readers are.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::dlp {

struct Parameter {
  std::string name;   // lower case
  std::string value;  // without its quotes, \" and \\ resolved; other backslashes stay, as in "C:\a.txt"
};

// The part before the first ';', lower case and without blanks: "multipart/form-data".
std::string field_type(std::string_view value);
// The parameters behind it, in order.
std::vector<Parameter> field_parameters(std::string_view value);

// Calls `on_field` for each field of a header block, folded lines joined; names in lower case.
void each_field(std::string_view block,
                const std::function<void(std::string_view name, std::string_view value)>& on_field);

}  // namespace gatehouse::dlp
