// Questions as people write them: "GET https://host/path", "dns A name".
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/policy.h"
#include "common/policy/registries.h"

namespace gatehouse::policy {

// An owned HttpRequest or DnsQuestion.
struct Question {
  bool dns = false;
  std::string scheme, host, method, path;  // http
  uint16_t port = 0;
  std::string type;  // dns; the name is in `host`

  HttpRequest request() const { return {scheme, host, port, method, path}; }
  DnsQuestion dns_question() const { return {host, type}; }
  std::string to_string() const;
};

using ResolveSymbol = std::function<Result<std::vector<RegistryOrigin>>(const std::string& symbol)>;

// Reads "METHOD http(s)://HOST[:PORT][/PATH]". A symbol ("@npm") as host stands for each of its origins, scheme and
// port included. The path is left as written, so that odd ones can be asked about.
Result<std::vector<Question>> parse_http_question(std::string_view text, const ResolveSymbol& resolve);

// Reads "TYPE NAME"; folds the name's case and drops its final dot.
Result<Question> parse_dns_question(std::string_view text);

}  // namespace gatehouse::policy
