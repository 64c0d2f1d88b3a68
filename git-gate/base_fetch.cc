#include "git-gate/base_fetch.h"

#include <algorithm>
#include <set>

#include "common/base/log.h"
#include "git-gate/object_scan.h"

namespace gatehouse::git_gate {

namespace {

constexpr size_t kPackHeadBytes = 12;

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

BaseFetch::BaseFetch(Loop& loop, std::string folder, BaseWanted wanted, ObjectFormat format, Callbacks callbacks)
    : loop_(loop),
      folder_(std::move(folder)),
      wanted_(std::move(wanted)),
      format_(format),
      callbacks_(std::move(callbacks)),
      base_(std::make_unique<Base>(format)) {}

BaseFetch::~BaseFetch() = default;

void BaseFetch::start() {
  if (wanted_.too_many()) return stop("it builds on too many commits of the remote to be looked at");
  callbacks_.read("");
}

bool BaseFetch::full() const { return child_ && child_->queued() > kMaxChildQueuedBytes; }

void BaseFetch::came(std::string_view bytes) {
  if (step_ >= Step::loading) return;
  if (!reader_) {
    answer_ += bytes;
    if (answer_.size() > git::kMaxRefsBytes) stop("the remote has too many refs");
    return;
  }
  const auto pack = reader_->feed(bytes);
  if (!pack) return stop(pack.error().message());
  if (auto ok = take_pack(*pack); !ok) stop(ok.error().message());
}

void BaseFetch::came_end(std::string_view why_not) {
  if (step_ >= Step::loading) return;
  if (!why_not.empty()) return stop(log::printable(why_not, 400));
  if (auto ok = end_of_answer(); !ok) stop(ok.error().message());
}

Result<void> BaseFetch::end_of_answer() {
  const std::string answer = std::exchange(answer_, {});
  if (reader_) {
    if (!reader_->complete()) return fail("the remote's answer is cut short");
    reader_.reset();
    if (child_) {
      answered_ = true;
      child_->close_input();
      return {};
    }
  } else if (step_ == Step::offer) {
    auto offered = git::parse_fetch_offer(answer);
    if (!offered) return failed(offered, "what the remote offers");
    offer_ = offered->offer;
    base_->refs = std::move(offered->refs);
    if (offer_.format != format_) return fail("the remote has another object format than the push");
  } else {
    auto refs = git::parse_refs(answer, format_);
    if (!refs) return failed(refs, "the remote's refs");
    base_->refs = std::move(*refs);
  }
  next();
  return {};
}

// Whatever the remote is asked for depends on what it has told so far.
void BaseFetch::next() {
  const auto& refs = base_->refs;
  if (step_ == Step::offer) {
    step_ = Step::refs;
    if (offer_.version == 2) return callbacks_.read(git::refs_request(offer_));
  }
  if (step_ == Step::refs) {
    step_ = Step::trees;
    std::set<std::string> wants(wanted_.trees.begin(), wanted_.trees.end());
    for (const auto& ref : wanted_.refs) {
      if (const auto tip = refs.tips.find(ref); tip != refs.tips.end()) wants.insert(tip->second.leads_to);
    }
    if (!wants.empty() && !refs.head.empty()) wants.insert(refs.head);
    if (!wants.empty()) {
      return fetch({{wants.begin(), wants.end()}, {}, true, git::FetchWanted::Leave::blobs});
    }
  }
  if (step_ == Step::trees) {
    step_ = Step::history;
    std::set<std::string> tips;
    for (const auto& entry : refs.tips) tips.insert(entry.second.leads_to);
    for (const auto& id : wanted_.trees) {
      if (!tips.contains(id)) unrooted_.push_back(id);
    }
    if (tips.size() > kMaxBaseTips) tips = {refs.head};
    tips_.assign(tips.begin(), tips.end());
    std::erase(tips_, std::string());
    if (unrooted_.size() > kMaxHistories) unrooted_.resize(kMaxHistories);
  }
  if (step_ == Step::history) {
    if (!unrooted_.empty() && !tips_.empty()) {
      const std::string have = unrooted_.back();
      unrooted_.pop_back();
      return fetch({tips_, {have}, false, git::FetchWanted::Leave::blobs_and_trees});
    }
    step_ = Step::forward;
  }
  while (!wanted_.forward.empty()) {
    const auto one = std::move(wanted_.forward.back());
    wanted_.forward.pop_back();
    const auto now = refs.tips.find(one.ref);
    if (now == refs.tips.end() || now->second.id != one.old_id) continue;
    return fetch({one.follows, {one.old_id}, false, git::FetchWanted::Leave::blobs_and_trees});
  }
  load();
}

void BaseFetch::fetch(git::FetchWanted wanted) {
  reader_.emplace(offer_);
  pack_head_.clear();
  callbacks_.read(git::fetch_request(offer_, wanted));
}

Result<void> BaseFetch::take_pack(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > kMaxBaseBytes) return fail("it is more than the {} bytes that are read of a remote", kMaxBaseBytes);
  if (child_) {
    child_->write(bytes);
    return {};
  }
  if (pack_head_.size() >= kPackHeadBytes) return {};  // the end of a pack without objects
  pack_head_ += bytes;
  if (pack_head_.size() < kPackHeadBytes) return {};
  if (!pack_head_.starts_with("PACK")) return fail("the remote sends no pack");
  const uint32_t objects = big_endian(std::string_view(pack_head_).substr(8));
  if (objects > kMaxBaseObjects)
    return fail("it is more than the {} objects that are read of a remote", kMaxBaseObjects);
  return objects == 0 ? Result<void>() : start_index(pack_head_);
}

Result<void> BaseFetch::start_index(std::string_view first) {
  if (!quarantine_) {
    auto made = Quarantine::create(folder_, format_);
    if (!made) return failed(made, "the quarantine");
    quarantine_.emplace(std::move(*made));
  }
  // What the remote has may be older than git's rules for it; that the ids are right is all that counts.
  auto child = GitChild::start(loop_,
                               {quarantine_->path(),
                                {"index-pack", "--stdin", fmt::format("--max-input-size={}", kMaxBaseBytes)},
                                kMaxBaseBytes + kIndexBytesPerObject * kMaxBaseObjects},
                               {.output = [](std::string_view) {},
                                .ended = [this](const Result<void>& ended) { indexed(ended); },
                                .drained = [this] { callbacks_.room(); }});
  if (!child) return failed(child);
  child_ = std::move(*child);
  answered_ = false;
  child_->write(first);
  return {};
}

void BaseFetch::indexed(const Result<void>& ended) {
  const auto child = std::move(child_);  // it is what calls
  if (!ended) return stop("git does not accept what the remote sends: " + ended.error().message());
  if (!answered_) return stop("the remote's pack ends before its answer");
  next();
}

void BaseFetch::load() {
  step_ = Step::loading;
  child_.reset();
  reader_.reset();
  if (!quarantine_) return end();
  objects_.emplace(format_);
  auto child = GitChild::start(
      loop_, {quarantine_->path(), {"cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer"}, 0},
      {.output =
           [this](std::string_view bytes) {
             if (auto ok = take_object_bytes(bytes); !ok) stop(ok.error().message());
           },
       .ended =
           [this](const Result<void>& done) {
             const auto over = std::move(child_);  // it is what calls
             if (!done) return stop(done.error().message());
             end();
           },
       .drained = {}});
  if (!child) return stop(child.error().message());
  child_ = std::move(*child);
  child_->close_input();
}

Result<void> BaseFetch::take_object_bytes(std::string_view bytes) {
  if (step_ == Step::over) return {};
  printed_bytes_ += bytes.size();
  if (printed_bytes_ > kMaxBasePrintedBytes) return fail("the remote's objects are too large to be looked at");
  for (;;) {
    const auto event = objects_->next(bytes);
    if (!event) return failed(event);
    bytes.remove_prefix(event->consumed);
    const auto& head = objects_->head();
    switch (event->kind) {
      case BatchReader::Event::Kind::need_more:
        return {};
      case BatchReader::Event::Kind::begin:
        content_.clear();
        break;
      case BatchReader::Event::Kind::bytes:
        if (head.type != ObjectType::blob && head.size <= kMaxStructureBytes) content_ += event->bytes;
        break;
      case BatchReader::Event::Kind::end:
        end_object();
        break;
    }
  }
}

// One that is not understood, or for which there is no room, is as if it had not come.
void BaseFetch::end_object() {
  const auto& head = objects_->head();
  if (head.size > kMaxStructureBytes) return;
  if (head.type == ObjectType::tree && !wanted_.trees.empty()) (void)base_->trees.add(head.id, content_);
  if (head.type != ObjectType::commit || base_->graph.commits().size() >= kMaxBaseCommits) return;
  if (const auto commit = parse_commit(content_, format_)) base_->graph.add_commit(head.id, *commit);
}

// What has come until now may still prove something.
void BaseFetch::stop(std::string why) {
  if (base_->why.empty()) base_->why = "the remote cannot be asked: " + why;
  if (step_ < Step::loading) return load();
  end();
}

void BaseFetch::end() {
  if (step_ == Step::over) return;
  step_ = Step::over;
  base_->find_rooted();
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    const auto call = std::move(callbacks_.done);
    call(std::move(base_));
  });
}

}  // namespace gatehouse::git_gate
