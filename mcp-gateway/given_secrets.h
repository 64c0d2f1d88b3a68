// Secrets as the launcher hands them over to this gateway: a JSON object of texts.
#pragma once

#include <map>
#include <string>

#include "common/base/result.h"
#include "common/base/secret_bytes.h"

namespace gatehouse::mcp {

// By name, from "fd:N" or a file (read_secret_source()); nothing of an empty source. Errors hold no value.
Result<std::map<std::string, SecretBytes>> read_given_secrets(const std::string& source);

}  // namespace gatehouse::mcp
