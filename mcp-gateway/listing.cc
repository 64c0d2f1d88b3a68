#include "mcp-gateway/listing.h"

#include <algorithm>

#include "common/base/uuid.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kPoisonedRule = "mcp.poisoned";
constexpr std::string_view kUnavailableRule = "dlp.unavailable";

// What stands against a definition, or a name, in which this was found.
std::optional<Suspicion> suspicion_of(const Looked& looked) {
  Suspicion suspicion{{Verdict::deny, std::string(kPoisonedRule), ""}, false};
  if (looked.decision.verdict == Verdict::deny) {
    if (looked.decision.rule_id == kUnavailableRule) suspicion.why.rule_id = kUnavailableRule;
    suspicion.why.reason = looked.decision.reason;
    return suspicion;
  }
  const auto found = std::find_if(looked.findings.begin(), looked.findings.end(),
                                  [](const dlp::Finding& finding) { return finding.action != FindingAction::exempt; });
  if (found == looked.findings.end()) return std::nullopt;
  suspicion.why.reason = dlp::describe(*found);
  suspicion.approvable = true;
  return suspicion;
}

}  // namespace

Listing::Listing(CallTools& tools, std::string server, ListKind kind, bool own_names, std::vector<Value> definitions,
                 std::function<void(std::vector<Item>)> done)
    : tools_(tools),
      server_(std::move(server)),
      kind_(kind),
      own_names_(own_names),
      definitions_(std::move(definitions)),
      done_(std::move(done)) {
  next();
}

void Listing::next() {
  if (at_ == definitions_.size()) {
    tools_.loop.post([this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      const auto done = std::move(done_);
      done(std::move(found_));
    });
    return;
  }
  info_ = {"mcp", dlp::Direction::in, scan_host(server_), make_uuid()};
  scan_ = std::make_unique<TextScan>(tools_.scanner, info_, fmt::format("{} definition", words_of(kind_).one),
                                     definitions_[at_], [this](const Looked& looked) { looked_at(looked); });
}

void Listing::looked_at(const Looked& looked) {
  const auto scan = std::move(scan_);  // it is what calls
  Value& definition = definitions_[at_++];
  Item item;
  item.kind = kind_;
  item.server = server_;
  item.name = *find_text(definition, words_of(kind_).key);
  item.shown = shown_as(kind_, server_, item.name, own_names_);
  item.pin = pin_of(definition);
  item.definition = shown_definition(kind_, item.shown, definition);
  if (const Value* execution = find(definition, "execution")) {
    const std::string* support = find_text(*execution, "taskSupport");
    item.task_only = kind_ == ListKind::tools && support != nullptr && *support == "required";
  }
  item.suspicion = suspicion_of(looked);
  item.whole = std::move(definition);
  found_.push_back(std::move(item));
  if (!found_.back().suspicion) return next();
  for (auto& row : finding_rows(looked, info_)) tools_.record(std::move(row), [](const Result<void>&) {});
  look_at_name();
}

// Names go on record; one that has something in it must not.
void Listing::look_at_name() {
  scan_ = std::make_unique<TextScan>(tools_.scanner, info_, fmt::format("{} name", words_of(kind_).one),
                                     Value(found_.back().name), [this](const Looked& looked) {
                                       const auto scan = std::move(scan_);
                                       found_.back().name_is_clean = !suspicion_of(looked);
                                       next();
                                     });
}

}  // namespace gatehouse::mcp
