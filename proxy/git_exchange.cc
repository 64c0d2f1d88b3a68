#include "proxy/git_exchange.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/dlp/finding_row.h"
#include "common/git/lfs.h"
#include "common/git/report.h"
#include "proxy/git_read.h"

namespace gatehouse::proxy {

namespace {

using policy::GitService;

constexpr int kOk = 200;
constexpr std::string_view kAdvertisement = "application/x-git-receive-pack-advertisement";
constexpr std::string_view kResult = "application/x-git-receive-pack-result";
constexpr std::string_view kLfsAnswer = "application/vnd.git-lfs+json";
constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kUnavailable = "git.unavailable";
constexpr size_t kRowsWithFindings = 200;  // of one push; the others share its trace

std::string query_of(std::string_view path) {
  const size_t mark = path.find('?');
  return mark == std::string_view::npos ? std::string() : std::string(path.substr(mark + 1));
}

std::string_view kind_of(const git::RefVerdict& ref) {
  if (ref.command.creates()) return "create";
  if (ref.command.removes()) return "delete";
  return ref.forced ? "force" : "update";
}

std::string words_of(const git::PushFinding& found) {
  return fmt::format("dlp.{} {} {} {}{}", found.finding.rule, to_string(found.finding.action),
                     found.object.empty() ? "-" : found.object,
                     found.path.empty() ? found.finding.location : found.path,
                     found.line == 0 ? "" : fmt::format(":{}", found.line));
}

}  // namespace

// The first bytes of a body, in the open.
struct GitExchange::Collected final : ByteSink {
  explicit Collected(git::PushReader& to) : reader(to) {}
  bool write(std::string_view bytes) override {
    const auto read = reader.feed(bytes);
    complete = read && *read;
    broken = !read;
    return !complete && !broken;
  }
  git::PushReader& reader;
  bool complete = false;
  bool broken = false;
};

GitExchange::GitExchange(GitService service, const Target& target, const RequestHead& head) : service_(service) {
  const auto asked = policy::git_target(head.method, without_query(head.path), query_of(head.path));
  question_.host = target.host;
  question_.port = target.port;
  question_.repository = asked.repository;
  question_.encoding = lower_case(joined_values(head.fields, "Content-Encoding"));
  for (const std::string_view name : {"Authorization", "User-Agent"}) {
    if (const Field* field = is_push() ? find_field(head.fields, name) : nullptr) asked_with_.push_back(*field);
  }
  auto plain = git::PlainBody::create(question_.encoding);
  if (plain) plain_.emplace(std::move(*plain));
}

GitExchange::~GitExchange() = default;

void GitExchange::see_request(std::string_view bytes) {
  if (!is_push() || head_read_ || !plain_) return;
  Collected commands(reader_);
  const auto decoded = plain_->decode(bytes, commands);
  head_read_ = !decoded || commands.complete || commands.broken;
}

void GitExchange::judge(Surroundings with, std::function<void(Decision)> judged) {
  judged_ = std::move(judged);
  with_.emplace(std::move(with));
  question_.trace_id = with_->trace_id;
  judging_ = with_->outside.git_gate()->open(
      question_, {.verdict = [this](Result<git::PushVerdict> verdict) { on_verdict(std::move(verdict)); },
                  .drained =
                      [this] {
                        show_more();
                        if (read_) read_->on_drained();
                      },
                  .read = [this](std::string request) { read(std::move(request)); }});
  show_more();
}

void GitExchange::read(std::string request) {
  read_ = GitRead::start({with_->outside, with_->origin, with_->head, asked_with_, with_->trace_id, *judging_,
                          [this](std::chrono::milliseconds after) { with_->set_deadline(after); },
                          [this] { with_->set_deadline(kPushTime + approval::Client::kSlack); }},
                         std::move(request));
}

bool GitExchange::on_deadline() { return read_ && read_->on_deadline(); }

void GitExchange::show_more() {
  if (finished_ || judging_ == nullptr) return;
  while (shown_ < with_->body.size()) {
    if (judging_->queued() > git::kMaxGateQueuedBytes) return;  // goes on when it has drained
    const auto piece = with_->body.read(shown_);
    // Cut short, it is no push, and the gate says so.
    if (!piece) break;
    shown_ += piece->size();
    judging_->write(*piece);
  }
  finished_ = true;
  judging_->finish();
}

void GitExchange::on_verdict(Result<git::PushVerdict> verdict) {
  read_.reset();
  const auto judging = std::move(judging_);  // it is what calls
  const auto told = std::move(judged_);
  if (verdict) {
    verdict_ = std::move(*verdict);
  } else {
    verdict_.emplace();
    verdict_->decision = {Verdict::deny, std::string(kUnavailable),
                          "this push cannot be looked through, and what is not looked through does not pass: " +
                              log::printable(verdict.error().message())};
  }
  told(verdict_->decision);
}

std::vector<audit::Event> GitExchange::rows(const Decision& decision, const dlp::StreamInfo& stream,
                                            const std::string& path) const {
  std::vector<audit::Event> rows;
  if (!is_push()) return rows;
  audit::GitEvent event;
  event.trace_id = stream.trace_id;
  event.remote =
      fmt::format("https://{}{}{}", stream.host, question_.port == 443 ? "" : fmt::format(":{}", question_.port), path);
  dlp::StreamInfo pushed = stream;
  pushed.channel = "git";
  if (verdict_) {
    event.objects = verdict_->objects;
    event.bytes = verdict_->bytes;
    for (auto found : verdict_->findings) {
      event.findings.push_back(words_of(found));
      found.finding.location = git::place_of(found);
      rows.emplace_back(dlp::audit_row(found.finding, pushed));
    }
  }
  std::vector<git::RefVerdict> refs = verdict_ ? verdict_->refs : std::vector<git::RefVerdict>();
  if (refs.empty()) {
    // The gate has not seen it: nor has the scanner, and a name may hold a secret.
    for (auto command : reader_.head().commands) {
      command.ref = "[not scanned]";
      refs.push_back({std::move(command), false, decision});
    }
  }
  for (const auto& ref : refs) {
    event.decision = ref.decision.verdict == Verdict::deny ? ref.decision : decision;
    event.ref = ref.command.ref;
    event.old_id = ref.command.old_id;
    event.new_id = ref.command.new_id;
    event.kind = kind_of(ref);
    rows.emplace_back(event);
    if (rows.size() > kRowsWithFindings) event.findings.clear();
  }
  if (refs.empty() && !decision.allowed()) {
    event.decision = decision;
    rows.emplace_back(event);
  }
  return rows;
}

std::string GitExchange::words_for(const Denial& denial, bool forwarded) const {
  std::string text;
  if (verdict_ && verdict_->decision.verdict == Verdict::deny && !verdict_->text.empty()) {
    text = verdict_->text;
  } else {
    text = fmt::format("{}\n  {}: {}\n{}\n",
                       forwarded   ? "The push did not get through, or its answer did not."
                       : is_push() ? "Gatehouse refused this push. Nothing of it was sent."
                                   : "Gatehouse refused this.",
                       denial.rule, log::printable(denial.reason, 1000), remedy(denial));
  }
  if (!denial.event_id.empty()) text += fmt::format("(event {})\n", denial.event_id);
  return text;
}

void GitExchange::shape(Denial& denial, bool forwarded, bool complete) const {
  const std::string text = words_for(denial, forwarded);
  if (service_ == GitService::lfs || service_ == GitService::lfs_upload) {
    denial.form = {std::string(kLfsAnswer), git::lfs_refusal(text)};
    return;
  }
  const auto& head = reader_.head();
  std::string report;
  if (is_push() && complete && !head.commands.empty()) {
    std::vector<git::RefRefusal> refs;
    const bool by_gate =
        verdict_ && verdict_->decision.verdict == Verdict::deny && verdict_->refs.size() == head.commands.size();
    for (size_t i = 0; i < head.commands.size(); ++i) {
      refs.push_back({head.commands[i].ref, by_gate ? verdict_->refs[i].decision.reason : denial.reason});
    }
    if (head.capabilities.report != git::Report::none) report = git::refusal_response(head.capabilities, refs, text);
  }
  if (report.empty()) {
    denial.form = {std::string(kPlainText), text};
    return;
  }
  denial.status = kOk;
  denial.form = {std::string(kResult), std::move(report)};
}

std::optional<Decision> GitExchange::judge_batch(const policy::Policy& policy, HeldBody* body) const {
  if (service_ != GitService::lfs) return std::nullopt;
  const auto refused = [](std::string_view why) {
    return Decision{Verdict::deny, "git.lfs", fmt::format("what is asked of Git LFS cannot be told: {}", why)};
  };
  if (body == nullptr) return refused("nobody is configured who holds it back (--dlp)");
  if (!question_.encoding.empty() && question_.encoding != "identity") return refused("it is encoded");
  std::string text;
  while (text.size() < body->size()) {
    if (text.size() > git::kMaxLfsBatchBytes) return refused("it is too long");
    const auto piece = body->read(text.size());
    if (!piece) return refused(piece.error().message());
    text += *piece;
  }
  const auto operation = git::parse_lfs_batch(text);
  if (!operation) return refused(operation.error().message());
  if (*operation == git::LfsOperation::download) return std::nullopt;
  return policy.judge_lfs_upload({question_.host, question_.port, question_.repository});
}

void GitExchange::prepare(RequestHead& head) const {
  if (service_ != GitService::push_refs) return;
  std::erase_if(head.fields, [](const Field& field) { return same_cgi_name(field.name, "Accept-Encoding"); });
  head.fields.push_back({"Accept-Encoding", "identity"});
}

Decision GitExchange::unsound(std::string_view why) const {
  return {Verdict::deny, is_push() ? "git.result" : "git.advertisement",
          fmt::format("the upstream's {}{}", is_push() ? "answer to the push" : "advertisement", why)};
}

std::string GitExchange::broken_off(const Denial& denial) const {
  if (!result_) return {};
  return result_->broken_off(
      fmt::format("The push may or may not have arrived, and what came of it has not come whole. Look at the remote "
                  "(git fetch) before it is tried again.\n  {}: {}\n(event {})\n",
                  denial.rule, log::printable(denial.reason, 1000), denial.event_id));
}

Result<void> GitExchange::take_head(const policy::Policy& policy, ResponseHead& head) {
  if ((service_ != GitService::push_refs && !is_push()) || head.status != kOk) return {};
  if (!same_token(joined_values(head.fields, "Content-Type"), is_push() ? kResult : kAdvertisement)) return {};
  const std::string coding = lower_case(joined_values(head.fields, "Content-Encoding"));
  const bool plain = coding.empty() || coding == "identity";
  if (is_push() && (!plain || !reader_.complete())) return {};
  if (!plain) return fail("the advertisement is encoded although that was not asked for");
  if (head.framing.kind == Framing::Kind::none) return {};
  if (is_push()) {
    result_.emplace(reader_.head().capabilities.side_band);
  } else {
    const auto terms = policy.git_terms({question_.host, question_.port, question_.repository});
    filter_.emplace(terms.unsigned_by.empty());
  }
  head.framing = {Framing::Kind::until_close, 0};
  head.content_length.reset();
  return {};
}

}  // namespace gatehouse::proxy
