// Which of a model's wishes a call of a tool follows: the proxy has read what the model said, and put it on record.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/audit/tool_call_finder.h"
#include "common/mcp/call_hash.h"

namespace gatehouse::mcp {

class ModelLink {
 public:
  // `key` is where the key that the proxy has, too, is read from (CallHash::load), `audit` is the log of both. Null
  // when `key` is empty.
  static Result<std::unique_ptr<ModelLink>> open(const std::string& key, const std::string& audit);

  struct Link {
    std::string trace_id;   // for all rows of the call: the model's exchange's, or a new one
    std::string call_hash;  // for the call's row
    std::string asked_by;   // likewise; empty: no model is known to have asked for it
  };
  // Of a call by its shown name. A null `link` knows nothing; neither does one that cannot read the log.
  static Link of(ModelLink* link, const std::string& shown, const json::Value& arguments);

 private:
  ModelLink(std::unique_ptr<CallHash> hash, std::unique_ptr<audit::ToolCallFinder> asked)
      : hash_(std::move(hash)), asked_(std::move(asked)) {}

  std::unique_ptr<CallHash> hash_;
  std::unique_ptr<audit::ToolCallFinder> asked_;
};

}  // namespace gatehouse::mcp
