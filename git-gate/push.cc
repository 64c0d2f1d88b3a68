#include "git-gate/push.h"

#include <filesystem>

#include "common/base/log.h"
#include "git-gate/decision.h"

namespace gatehouse::git_gate {

namespace {

constexpr size_t kPackHeadBytes = 12;
constexpr std::string_view kSignature = "PACK";
constexpr std::string_view kFailed = "git.failed";  // our own failure

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string by_rule(const std::string& rule) { return rule.empty() ? "the default" : fmt::format("rule '{}'", rule); }

}  // namespace

Push::Push(PushTools& tools, git::PushQuestion question, Callbacks callbacks)
    : tools_(tools),
      question_(std::move(question)),
      callbacks_(std::move(callbacks)),
      policy_(tools.policy.get()),
      terms_(policy_->git_terms({question_.host, question_.port, question_.repository})),
      deadline_(tools.loop, [this] { refuse("git.limit", "it took too long to look through"); }) {
  deadline_.start(kPushTime);
  auto body = git::PlainBody::create(question_.encoding);
  if (body) {
    body_.emplace(std::move(*body));
  } else {
    refuse("git.malformed", body.error().message());
  }
}

Push::~Push() = default;

void Push::take(std::string_view bytes) {
  if (is_decided()) return;
  const auto decoded = body_->decode(bytes, *this);
  if (!decoded) refuse("git.malformed", decoded.error().message());
}

bool Push::full() const { return (child_ && child_->queued() > kMaxChildQueuedBytes) || (fetch_ && fetch_->full()); }

bool Push::write(std::string_view plain) {
  if (stage_ == Stage::head) {
    read_head(plain);
  } else {
    take_pack(plain);
  }
  return !is_decided();
}

void Push::read_head(std::string_view plain) {
  const auto complete = reader_.feed(plain);
  if (!complete) return refuse("git.malformed", complete.error().message());
  if (!*complete) return;
  stage_ = Stage::pack;
  take_pack(reader_.rest());
}

void Push::take_pack(std::string_view bytes) {
  if (is_decided() || bytes.empty()) return;
  if (!reader_.head().has_pack()) return refuse("git.malformed", "bytes after a push that has no pack");
  pack_bytes_ += bytes.size();
  if (pack_bytes_ > terms_.pack_bytes.value) {
    return refuse("git.limit", fmt::format("the pack is larger than the {} bytes that {} lets be pushed",
                                           terms_.pack_bytes.value, by_rule(terms_.pack_bytes.rule)));
  }
  if (child_) return child_->write(bytes);
  pack_head_ += bytes;
  if (pack_head_.size() < kPackHeadBytes) return;
  begin_pack(pack_head_);
  pack_head_.clear();
}

void Push::begin_pack(std::string_view first) {
  if (!first.starts_with(kSignature) || big_endian(first.substr(4)) != 2) {
    return refuse("git.malformed", "no pack where one must be");
  }
  pack_objects_ = big_endian(first.substr(8));
  if (pack_objects_ > terms_.objects.value) {
    return refuse("git.limit", fmt::format("the pack has {} objects, more than the {} that {} lets be pushed",
                                           pack_objects_, terms_.objects.value, by_rule(terms_.objects.rule)));
  }
  if (auto started = start_index(); !started) {
    log::error("{}", started.error().message());
    return refuse(std::string(kFailed), started.error().message());
  }
  child_->write(first);
}

GitChild::Settings Push::child_settings(std::vector<std::string> arguments, uint64_t file_bytes) const {
  const std::chrono::seconds time = kPackTime + std::chrono::seconds(terms_.pack_bytes.value / kPackBytesPerSecond);
  return {quarantine_->path(), std::move(arguments), file_bytes,
          std::max(kChildDataBytes, 3 * terms_.file_bytes.value + kChildDataBytes / 2),
          std::min<std::chrono::seconds>(time, kPushTime)};
}

Result<void> Push::start_index() {
  auto quarantine = Quarantine::create(tools_.quarantine, reader_.head().capabilities.format);
  if (!quarantine) return failed(quarantine, "the quarantine");
  quarantine_.emplace(std::move(*quarantine));
  // Not --strict: that wants every object that is referred to, also those that the remote has already.
  auto child =
      GitChild::start(tools_.loop,
                      child_settings({"index-pack", "--stdin", "--fsck-objects", "--promisor",
                                      fmt::format("--max-input-size={}", terms_.pack_bytes.value)},
                                     terms_.pack_bytes.value + kIndexBytesPerObject * terms_.objects.value + (1 << 20)),
                      {.output = [](std::string_view) {},
                       .ended = [this](const Result<void>& ended) { indexed(ended); },
                       .drained = [this] { callbacks_.room(); }});
  if (!child) return failed(child);
  child_ = std::move(*child);
  return {};
}

void Push::finish() {
  if (is_decided()) return;
  if (auto whole = body_->finish(); !whole) return refuse("git.malformed", whole.error().message());
  if (stage_ == Stage::head) return refuse("git.malformed", "the commands are cut short");
  if (!reader_.head().has_pack()) {
    // Nothing to look into but names.
    scan_ = std::make_unique<ObjectScan>(tools_.scanner, question_, terms_, reader_.head().capabilities.format,
                                         ObjectScan::Callbacks{[] {}, [this] { on_scanned(); }});
    stage_ = Stage::scanning;
    scan_->show(reader_.head());
    return scan_->finish();
  }
  if (!child_) return refuse("git.malformed", "no pack where one must be");
  stage_ = Stage::indexing;
  fed_ = true;
  child_->close_input();
}

void Push::indexed(const Result<void>& ended) {
  const auto child = std::move(child_);  // it is what calls
  if (is_decided()) return;
  if (!ended) return refuse("git.pack", "git does not accept the pack: " + ended.error().message());
  if (!fed_) return refuse("git.pack", "more after the end of the pack");
  if (auto whole = check_pack_file(); !whole) return refuse("git.pack", whole.error().message());
  if (auto started = start_scan(); !started) {
    log::error("{}", started.error().message());
    refuse(std::string(kFailed), started.error().message());
  }
}

// git stops reading where the pack ends; whatever came after it would go upstream unseen.
Result<void> Push::check_pack_file() const {
  namespace fs = std::filesystem;
  std::error_code error;
  size_t packs = 0;
  for (fs::directory_iterator entry(quarantine_->path() + "/objects/pack", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".pack") continue;
    ++packs;
    const auto size = entry->file_size(error);
    if (!error && size != pack_bytes_) return fail("more after the end of the pack");
  }
  if (error) return fail("the quarantine cannot be read: {}", error.message());
  if (packs != 1) return fail("git has indexed {} packs", packs);
  return {};
}

Result<void> Push::start_scan() {
  stage_ = Stage::scanning;
  scan_ = std::make_unique<ObjectScan>(tools_.scanner, question_, terms_, reader_.head().capabilities.format,
                                       ObjectScan::Callbacks{[this] {
                                                               if (child_ && !scan_->full()) child_->read(true);
                                                             },
                                                             [this] { on_scanned(); }});
  scan_->show(reader_.head());
  auto child = GitChild::start(
      tools_.loop, child_settings({"cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer"}, 0),
      {.output = [this](std::string_view bytes) { scan_output(bytes); },
       .ended = [this](const Result<void>& ended) { scanned(ended); },
       .drained = {}});
  if (!child) return failed(child);
  child_ = std::move(*child);
  child_->close_input();
  return {};
}

void Push::scan_output(std::string_view bytes) {
  if (is_decided()) return;
  printed_bytes_ += bytes.size();
  if (printed_bytes_ > kMaxObjectBytes) return refuse("git.limit", "its objects are too large to be looked through");
  if (auto ok = scan_->take(bytes); !ok) return refuse("git.pack", ok.error().message());
  if (scan_->full()) child_->read(false);
}

void Push::scanned(const Result<void>& ended) {
  const auto child = std::move(child_);  // it is what calls
  if (is_decided()) return;
  if (!ended) return refuse("git.pack", "git does not read the pack: " + ended.error().message());
  if (!scan_->whole()) return refuse("git.pack", "git ended in the middle of an object");
  if (scan_->objects() != pack_objects_) {
    return refuse("git.pack",
                  fmt::format("the pack says that it has {} objects and has {}", pack_objects_, scan_->objects()));
  }
  scan_->finish();
}

git::PushVerdict Push::verdict_with(const Evidence& evidence) const {
  auto verdict = decide(*policy_, question_, reader_.head(), terms_, evidence);
  verdict.bytes = pack_bytes_;
  return verdict;
}

// The remote is asked for nothing unless that decides.
void Push::on_scanned() {
  if (is_decided()) return;
  auto wanted = wanted_base(reader_.head(), terms_, scan_->graph());
  if (wanted.empty()) return answer(verdict_with({*scan_}));
  auto at_best = verdict_with({*scan_, nullptr, true});
  if (at_best.decision.verdict == Verdict::deny) return answer(std::move(at_best));
  auto verdict = verdict_with({*scan_});
  if (verdict.decision.verdict != Verdict::deny) return answer(std::move(verdict));
  ask_remote(std::move(wanted));
}

void Push::ask_remote(BaseWanted wanted) {
  stage_ = Stage::reading;
  fetch_ =
      std::make_unique<BaseFetch>(tools_.loop, tools_.quarantine, std::move(wanted), reader_.head().capabilities.format,
                                  BaseFetch::Callbacks{[this](std::string request) {
                                                         reads_ = true;
                                                         callbacks_.read(std::move(request));
                                                       },
                                                       [this] { callbacks_.room(); },
                                                       [this](const std::unique_ptr<Base>& base) {
                                                         answer(verdict_with({*scan_, base.get()}));
                                                       }});
  fetch_->start();
}

void Push::came(std::string_view bytes) {
  if (stage_ == Stage::reading) fetch_->came(bytes);
}

void Push::came_end(std::string_view why_not) {
  reads_ = false;
  if (stage_ == Stage::reading) fetch_->came_end(why_not);
}

// Names and git's words quote the push, and what is said of it is logged: the scanner sees them first.
void Push::refuse(std::string rule, std::string reason) {
  if (is_decided()) return;
  stage_ = Stage::refused;
  deadline_.stop();
  refusal_ = {Verdict::deny, std::move(rule), std::move(reason)};
  tools_.loop.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) scan_refusal();
  });
}

void Push::scan_refusal() {
  child_.reset();
  fetch_.reset();
  quarantine_.reset();
  scan_ = std::make_unique<ObjectScan>(tools_.scanner, question_, terms_, reader_.head().capabilities.format,
                                       ObjectScan::Callbacks{[] {}, [this] { on_refusal_scanned(); }});
  scan_->show(reader_.head());
  scan_->show_words(refusal_.reason);
  scan_->finish();
}

void Push::on_refusal_scanned() {
  std::string reason = std::move(refusal_.reason);
  if (scan_->has_tainted_words() || scan_->scanner_error()) {
    reason = "it is unsound; how cannot be told without what must not leave";
  }
  auto verdict = refusal(reader_.head(), std::move(refusal_.rule_id), std::move(reason), scan_.get());
  if (!scan_->scanner_error()) verdict.findings = judged_findings(*policy_, question_, *scan_);
  verdict.bytes = pack_bytes_;
  answer(std::move(verdict));
}

// Whatever is under way ends at the turn's end, with the quarantine.
void Push::answer(git::PushVerdict verdict) {
  if (stage_ == Stage::over) return;
  stage_ = Stage::over;
  deadline_.stop();
  verdict_ = std::move(verdict);
  tools_.loop.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    child_.reset();
    fetch_.reset();
    scan_.reset();
    quarantine_.reset();
    const auto call = std::move(callbacks_.verdict);
    call(std::move(*verdict_));
  });
}

}  // namespace gatehouse::git_gate
