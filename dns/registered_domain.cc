#include "dns/registered_domain.h"

#include <libpsl.h>

#include <string>

namespace gatehouse::dns {

namespace {

constexpr int kMostSuffixLabels = 5;  // the list has no longer rule

// As libpsl wants it: a C string, letters in lower case.
std::string listed_form(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (c == '\0') c = '?';
  }
  return out;
}

// Where the label that ends before `end` begins.
size_t label_start(std::string_view name, size_t end) {
  const size_t dot = end == 0 ? std::string_view::npos : name.rfind('.', end - 1);
  return dot == std::string_view::npos ? 0 : dot + 1;
}

}  // namespace

std::string_view registered_domain(std::string_view name) {
  size_t start = label_start(name, name.size());
  const auto last = listed_form(name.substr(start));
  size_t suffix = start;
  for (int labels = 2; last != "arpa" && labels <= kMostSuffixLabels && start > 0; ++labels) {
    start = label_start(name, start - 1);
    if (psl_is_public_suffix2(psl_builtin(), listed_form(name.substr(start)).c_str(), PSL_TYPE_ICANN) != 0) {
      suffix = start;
    }
  }
  if (suffix == 0) return name;
  return name.substr(label_start(name, suffix - 1));
}

}  // namespace gatehouse::dns
