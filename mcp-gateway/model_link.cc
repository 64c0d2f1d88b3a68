#include "mcp-gateway/model_link.h"

#include "common/base/uuid.h"

namespace gatehouse::mcp {

Result<std::unique_ptr<ModelLink>> ModelLink::open(const std::string& key, const std::string& audit) {
  if (key.empty()) return std::unique_ptr<ModelLink>();
  auto hash = CallHash::load(key);
  if (!hash) return failed(hash, "--call-key");
  auto asked = audit::ToolCallFinder::open(audit);
  if (!asked) return failed(asked);
  return std::unique_ptr<ModelLink>(new ModelLink(std::move(*hash), std::move(*asked)));
}

ModelLink::Link ModelLink::of(ModelLink* link, const std::string& shown, const json::Value& arguments) {
  Link found{make_uuid(), {}, {}};
  if (link == nullptr) return found;
  found.call_hash = link->hash_->of(shown, arguments);
  auto asked = link->asked_->find(found.call_hash, now_utc_us(),
                                  [&](std::string_view called) { return is_name_of(called, shown); });
  if (!asked || asked->trace_id.empty()) return found;
  found.trace_id = std::move(asked->trace_id);
  found.asked_by = std::move(asked->event_id);
  return found;
}

}  // namespace gatehouse::mcp
