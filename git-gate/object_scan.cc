#include "git-gate/object_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "common/base/log.h"
#include "common/policy/text_glob.h"
#include "git-gate/config_hosts.h"

namespace gatehouse::git_gate {

namespace {

constexpr std::string_view kFile = "file";
constexpr std::string_view kFileNames = "file name";
constexpr std::string_view kRef = "ref name";
constexpr std::string_view kPushOption = "push option";
constexpr std::string_view kCertificate = "push certificate";
constexpr std::string_view kLimits = "limits";  // category of findings: something was not looked through to its end
constexpr std::string_view kWords = "words of the refusal";

std::string_view line_at(std::string_view text, size_t at) {
  at = std::min(at, text.size());
  const size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const size_t start = before == std::string_view::npos ? 0 : before + 1;
  return text.substr(start, text.find('\n', start) - start);
}

}  // namespace

ObjectScan::ObjectScan(dlp::ScanClient& scanner, const git::PushQuestion& question, const policy::GitTerms& terms,
                       ObjectFormat format, Callbacks callbacks)
    : scanner_(scanner),
      stream_{"git", dlp::Direction::out, question.host, question.trace_id},
      terms_(terms),
      depth_(static_cast<size_t>(std::count(question.repository.begin(), question.repository.end(), '/'))),
      callbacks_(std::move(callbacks)),
      reader_(format),
      graph_(format, room_),
      trees_(room_) {}

ObjectScan::~ObjectScan() = default;

void ObjectScan::show(const git::PushHead& head) {
  for (const auto& command : head.commands) show_part(kRef, command.ref);
  for (const auto& option : head.options) show_part(kPushOption, option);
  if (head.certificate) show_part(kCertificate, head.certificate->words);
}

void ObjectScan::show_words(std::string_view words) { show_part(kWords, words); }

Result<void> ObjectScan::take(std::string_view bytes) {
  for (;;) {
    const auto event = reader_.next(bytes);
    if (!event) return failed(event);
    bytes.remove_prefix(event->consumed);
    switch (event->kind) {
      case BatchReader::Event::Kind::need_more:
        return {};
      case BatchReader::Event::Kind::begin:
        begin_object();
        break;
      case BatchReader::Event::Kind::bytes:
        if (skipped_) break;
        if (reader_.head().type == ObjectType::blob) write_part(event->bytes);
        if (reader_.head().type != ObjectType::blob) {
          content_ += event->bytes;
        } else if (content_.size() < kMaxConfigBytes) {
          content_ += event->bytes.substr(0, kMaxConfigBytes - content_.size());
        }
        break;
      case BatchReader::Event::Kind::end:
        end_object();
        break;
    }
  }
}

bool ObjectScan::full() const {
  return batches_.size() > kMaxOpenBatches || std::any_of(batches_.begin(), batches_.end(), [](const Batch& batch) {
           return batch.scan && batch.scan->queued() > dlp::kMaxScanQueuedBytes;
         });
}

void ObjectScan::finish() {
  finished_ = true;
  if (open_) close_batch();
  end_when_done();
}

void ObjectScan::begin_object() {
  const auto& head = reader_.head();
  ++objects_;
  content_.clear();
  skipped_ = false;
  const bool blob = head.type == ObjectType::blob;
  const uint64_t most = blob ? terms_.file_bytes.value : kMaxStructureBytes;
  if (head.size > most) {
    skipped_ = true;
    const bool by_rule = blob && !terms_.file_bytes.rule.empty();
    return complain("git.file-size",
                    fmt::format("a {} of {} bytes, over the {} that {} lets be pushed", to_string(head.type), head.size,
                                most, by_rule ? fmt::format("rule '{}'", terms_.file_bytes.rule) : "the default"));
  }
  if (blob) begin_part(kFile, head.size);
}

void ObjectScan::end_object() {
  if (skipped_) return;
  switch (reader_.head().type) {
    case ObjectType::commit:
      return read_commit();
    case ObjectType::tag:
      return read_tag();
    case ObjectType::tree:
      return read_tree_object();
    case ObjectType::blob:
      return check_configuration(content_);
  }
}

void ObjectScan::read_commit() {
  const auto commit = parse_commit(content_, graph_.format());
  if (!commit) return complain("git.object", commit.error().message());
  if (!graph_.add_commit(reader_.head().id, *commit)) complain("git.limit", "more commits than can be followed");
  show_part("author", commit->author);
  if (commit->committer != commit->author) show_part("committer", commit->committer);
  if (!commit->headers.empty()) show_part("commit header", commit->headers);
  show_part("commit message", commit->message);
  check_person(commit->author, "author");
  check_person(commit->committer, "committer");
  check_trailers(commit->message);
}

void ObjectScan::read_tag() {
  const auto tag = parse_tag(content_, graph_.format());
  if (!tag) return complain("git.object", tag.error().message());
  if (!graph_.add_tag(reader_.head().id, *tag)) complain("git.limit", "more tags than can be followed");
  show_part("tagger", tag->tagger);
  show_part("tag name", tag->name);
  if (!tag->headers.empty()) show_part("tag header", tag->headers);
  show_part("tag message", tag->message);
  if (!tag->tagger.empty()) check_person(tag->tagger, "tagger");
}

void ObjectScan::read_tree_object() {
  const auto key = ObjectKey::of_hex(reader_.head().id);
  std::string names;
  size_t longest = 0;
  const auto read = read_tree(content_, graph_.format(), [&](const TreeEntry& entry) {
    longest = std::max(longest, entry.name.size());
    graph_.add_entry(key, entry);
    std::string name(entry.name);
    if (known_names_.contains(name)) return;
    const size_t bytes = kTableEntryBytes + sizeof(std::string) + name.size();
    if (known_names_room_.take(bytes) && room_->take(bytes)) known_names_.insert(std::move(name));
    names.append(entry.name).append("\n");
  });
  if (!read) return complain("git.object", read.error().message());
  if (longest > kMaxNameBytes) complain("git.object", fmt::format("a tree with a name of {} bytes", longest));
  if (!terms_.unchanged.empty()) (void)trees_.add(reader_.head().id, content_);
  if (!names.empty()) show_part(kFileNames, names);
}

void ObjectScan::check_person(std::string_view person, std::string_view who) {
  for (const auto& [globs, rule] : terms_.authors) {
    const auto matches = [person](const std::string& glob) {
      return policy::glob_matches(glob, person, policy::Case::told_apart);
    };
    if (std::any_of(globs.begin(), globs.end(), matches)) continue;
    complain("git.identity",
             fmt::format("the {} is none of those that rule '{}' lets: {}", who, rule, fmt::join(globs, ", ")));
  }
}

void ObjectScan::check_trailers(std::string_view message) {
  for (const auto& [names, rule] : terms_.trailers) {
    for (const auto& name : names) {
      if (has_trailer(message, name)) continue;
      complain("git.trailer",
               fmt::format("the message lacks the trailer '{}: ...' that rule '{}' asks for", name, rule));
    }
  }
}

void ObjectScan::check_configuration(std::string_view text) {
  const bool cut = reader_.head().size > text.size();
  if (!cut && (text.find('[') == std::string_view::npos || text.find('=') == std::string_view::npos)) return;
  const auto read = read_configuration(text);
  if (cut && read.whole && !terms_.submodules.empty()) {
    complain("git.submodule",
             fmt::format("a file in the format of .gitmodules that is longer than {} bytes", text.size()));
  }
  for (const auto& [section, url] : read.urls) {
    const std::string host = url_host(url, depth_);
    if (host.empty()) continue;
    for (const auto& [hosts, rule] : section == "submodule" ? terms_.submodules : terms_.lfs) {
      const auto covers = [&](const policy::HostPattern& pattern) { return pattern.matches(host); };
      if (std::any_of(hosts.begin(), hosts.end(), covers)) continue;
      complain(section == "submodule" ? "git.submodule" : "git.lfs",
               fmt::format("{} leads to {}, which rule '{}' does not let",
                           section == "submodule" ? "a submodule" : "an LFS configuration",
                           host == "?" ? "no host by name" : "the host '" + log::printable(host, 100) + "'", rule));
      break;
    }
  }
}

void ObjectScan::complain(std::string rule, std::string reason) {
  if (complaints_.size() >= kMaxComplaints) return;
  complaints_.push_back({std::move(rule), std::move(reason), reader_.head().id});
}

void ObjectScan::show_part(std::string_view location, std::string_view text) {
  if (text.empty()) return;
  begin_part(location, text.size());
  write_part(text);
}

void ObjectScan::begin_part(std::string_view location, uint64_t size) {
  const bool full = open_ && (batches_.back().bytes >= kBatchBytes || batches_.back().parts.size() >= kBatchParts);
  if (full || (open_ && size > kBatchBytes)) close_batch();
  if (!open_) {
    batches_.emplace_back();
    batches_.back().scan = scanner_.open(stream_);
    batches_.back().scan->on_drained([this] { callbacks_.room(); });
    open_ = true;
  }
  Batch& batch = batches_.back();
  batch.scan->part({std::string(location), {}, {}});
  const bool of_object = objects_ > 0;  // what is shown before them is of none
  batch.parts.push_back({std::string(location), of_object ? reader_.head().id : std::string(), batch.text.size()});
}

void ObjectScan::write_part(std::string_view bytes) {
  Batch& batch = batches_.back();
  batch.bytes += bytes.size();
  batch.scan->write(bytes);
  Part& part = batch.parts.back();
  if (part.kept && batch.text.size() + bytes.size() <= 2 * kBatchBytes) {
    batch.text += bytes;
  } else if (part.kept) {
    part.kept = false;
    batch.text.resize(part.start);
  }
}

void ObjectScan::close_batch() {
  assert(open_);
  open_ = false;
  const auto batch = std::prev(batches_.end());
  batch->scan->finish([this, batch](const Result<dlp::ScanVerdict>& verdict) { judged(batch, verdict); });
}

void ObjectScan::judged(std::list<Batch>::iterator batch, const Result<dlp::ScanVerdict>& verdict) {
  if (!verdict) {
    if (!error_) error_ = verdict.error();
  } else {
    for (const auto& finding : verdict->findings) {
      if (!show_apart(*batch, finding)) note(*batch, finding);
    }
    // As note() has it, what is to be overwritten is denied.
    const bool said = std::any_of(verdict->findings.begin(), verdict->findings.end(), [](const auto& finding) {
      return finding.action == FindingAction::deny || finding.action == FindingAction::redact;
    });
    if (verdict->outcome != dlp::ScanVerdict::Outcome::allow && !said && !error_) {
      error_ = Error("the scanner denies and does not say why");
    }
  }
  batches_.erase(batch);
  if (finished_) return end_when_done();
  callbacks_.room();
}

// Where the scanner's limits end, it has read nothing of what follows in the same stream; which part is to blame shows
// when each has the limits to itself.
bool ObjectScan::show_apart(const Batch& batch, const dlp::Finding& finding) {
  if (finding.category != kLimits || batch.parts.size() < 2 || finding.part >= batch.parts.size()) return false;
  if (apart_++ >= kMaxApart) {
    if (!error_) error_ = Error("too much of it costs more to look into than the policy allows");
    return true;
  }
  show_again(batch, finding.part, finding.part + 1);
  show_again(batch, finding.part + 1, batch.parts.size());
  return true;
}

void ObjectScan::show_again(const Batch& batch, size_t from, size_t to) {
  if (from == to) return;
  const auto again = batches_.emplace(batches_.begin());
  again->scan = scanner_.open(stream_);
  for (size_t i = from; i < to; ++i) {
    Part part = batch.parts[i];
    assert(part.kept);
    const size_t end = i + 1 < batch.parts.size() ? batch.parts[i + 1].start : batch.text.size();
    const auto text = std::string_view(batch.text).substr(part.start, end - part.start);
    part.start = again->text.size();
    again->text += text;
    again->bytes += text.size();
    again->scan->part({part.location, {}, {}});
    again->scan->write(text);
    again->parts.push_back(std::move(part));
  }
  again->scan->finish([this, again](const Result<dlp::ScanVerdict>& verdict) { judged(again, verdict); });
}

void ObjectScan::note(const Batch& batch, const dlp::Finding& finding) {
  Found found;
  found.finding.finding = finding;
  auto& told = found.finding.finding;
  if (told.action == FindingAction::redact) {
    told.action = FindingAction::deny;
    told.detail += told.detail.empty() ? "it cannot be overwritten inside an object"
                                       : "; it cannot be overwritten inside an object";
  }
  if (finding.part < batch.parts.size()) {
    const Part& part = batch.parts[finding.part];
    const size_t next = finding.part + 1;
    const auto end = next < batch.parts.size() ? batch.parts[next].start : batch.text.size();
    const std::string_view text = std::string_view(batch.text).substr(part.start, end - part.start);
    found.finding.object = part.object;
    if (part.location == kFileNames) {
      found.name = line_at(text, finding.offset);
      tainted_names_.insert(found.name);
    } else if (part.location == kRef) {
      tainted_refs_.insert(std::string(text));
    } else if (part.location == kWords) {
      tainted_words_ = true;
    } else if (part.kept && finding.offset <= text.size()) {
      const auto before = text.substr(0, finding.offset);
      found.finding.line = 1 + static_cast<uint64_t>(std::count(before.begin(), before.end(), '\n'));
    }
  }
  const bool denies = told.action == FindingAction::deny;
  if (found_.size() >= kMaxKeptFindings) {
    ++more_findings_;
    const auto weaker = std::find_if(found_.begin(), found_.end(), [](const Found& one) {
      return one.finding.finding.action != FindingAction::deny;
    });
    if (!denies) return;
    if (weaker == found_.end()) {
      more_deny_ = true;
    } else {
      *weaker = std::move(found);
    }
    return;
  }
  found_.push_back(std::move(found));
}

void ObjectScan::end_when_done() {
  if (!finished_ || !batches_.empty()) return;
  const auto done = std::exchange(callbacks_.done, nullptr);
  if (done) done();
}

std::vector<git::PushFinding> ObjectScan::findings(const Judge& judge) const {
  std::vector<git::PushFinding> told;
  for (const auto& [finding, name] : found_) {
    auto one = finding;
    const bool blob = one.finding.location.starts_with(kFile) && !one.finding.location.starts_with(kFileNames);
    if (!one.object.empty() && (blob || !name.empty())) {
      std::string path = graph_.path_of(one.object);
      if (!name.empty()) path += (path.empty() ? "" : "/") + name;
      one.path = std::move(path);
    }
    if (one.finding.action == FindingAction::deny && !more_deny_) {
      auto decision = judge(one);
      if (decision.action == FindingAction::exempt) {
        one.finding.action = decision.action;
        one.finding.exemption = std::move(decision.exemption);
        one.finding.detail.clear();
      }
    }
    one.path = shown_path(one.path);
    told.push_back(std::move(one));
  }
  std::stable_sort(told.begin(), told.end(),
                   [](const auto& a, const auto& b) { return a.finding.action > b.finding.action; });
  if (more_findings_ > 0 && !told.empty()) {
    auto& last = told[std::min(told.size(), git::kMaxGateFindings) - 1].finding;
    last.detail = fmt::format("and {} {}", more_findings_, dlp::kMoreFindings);
  }
  return told;
}

// Names are shown to the scanner as lines, and one may have several.
bool ObjectScan::is_tainted_name(std::string_view name) const {
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('\n', at), name.size());
    if (end > at && tainted_names_.contains(std::string(name.substr(at, end - at)))) return true;
    at = end + 1;
  }
  return false;
}

std::string ObjectScan::shown_path(std::string_view path) const {
  std::string shown;
  for (size_t at = 0; at <= path.size();) {
    const size_t slash = std::min(path.find('/', at), path.size());
    const std::string name(path.substr(at, slash - at));
    if (at > 0) shown += '/';
    shown += is_tainted_name(name) ? name.substr(0, dlp::kPrefixBytes) + "***" : name;
    at = slash + 1;
  }
  return log::printable(shown, 300);
}

}  // namespace gatehouse::git_gate
