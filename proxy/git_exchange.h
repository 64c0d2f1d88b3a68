// What an exchange is besides, when it is one of git's over smart HTTP: the guest is answered in a form that git shows,
// advertisements of receive-pack lose what cannot be checked, and a push goes past gatehouse-git-gate. Passive.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/audit/event.h"
#include "common/git/advertisement.h"
#include "common/git/gate_client.h"
#include "common/git/plain_body.h"
#include "common/git/push_request.h"
#include "common/git/push_result.h"
#include "common/policy/git.h"
#include "proxy/denial.h"
#include "proxy/held_body.h"
#include "proxy/judgement.h"
#include "proxy/outside.h"

namespace gatehouse::proxy {

// For the gate to take what it is shown, and for its verdict: more than it gives itself.
inline constexpr std::chrono::minutes kPushTime{11};

class GitRead;

class GitExchange {
 public:
  GitExchange(policy::GitService service, const Target& target, const RequestHead& head);
  ~GitExchange();

  bool is_push() const { return service_ == policy::GitService::push; }
  // What the body of a request to Git LFS's batch interface makes of the verdict on its head; nothing for any other
  // request. `body` may be null: it has not been held.
  std::optional<Decision> judge_batch(const policy::Policy& policy, HeldBody* body) const;
  // A push, or what comes before one: without a gate there is no use in it.
  bool needs_gate() const { return is_push() || service_ == policy::GitService::push_refs; }

  // The body of a push as it comes: what it asks for is wanted also when the gate is never reached.
  void see_request(std::string_view bytes);
  // Whether what comes of a push is read for nothing, because it is too long (`over`, from then on): a client that
  // sends on reads no answer, and one with another status than 200 says nothing to its user.
  bool discards(bool over) { return is_push() && (discards_ |= over); }

  // What a push is judged with; all outlives this.
  struct Surroundings {
    Outside& outside;  // with a git gate
    const Origin& origin;
    const RequestHead& head;
    HeldBody& body;
    const std::string& trace_id;
    std::function<void(std::chrono::milliseconds)> set_deadline;
  };
  // Shows the held body to the gate, reads for it what it asks for of the same repository (git_read.h), and takes its
  // verdict. `judged` is called once, never from within; a gate that gives no verdict has denied.
  void judge(Surroundings with, std::function<void(Decision)> judged);
  // False: nothing is being read, and the gate is late.
  bool on_deadline();
  bool judged() const { return verdict_.has_value(); }
  // A push without commands, by which a client sees whether it would be let in; its body is held, whole and judged.
  bool asks_for_nothing() const { return judged() && reader_.complete() && reader_.head().commands.empty(); }

  // git_events and dlp_findings of a push that `decision` was made on. `remote` as the log may tell of it.
  std::vector<audit::Event> rows(const Decision& decision, const dlp::StreamInfo& stream,
                                 const std::string& path) const;

  // Puts a denial into the form that the client shows its user. `forwarded`: the push had been let go;
  // `complete`: all of the request is there.
  void shape(Denial& denial, bool forwarded, bool complete) const;

  // The answer's way: an advertisement, which is filtered and is to come in the open, or what came of a push.
  void prepare(RequestHead& head) const;
  Result<void> take_head(const policy::Policy& policy, ResponseHead& head);
  bool filters() const { return filter_ || result_; }
  Result<std::string> filter(std::string_view bytes) { return filter_ ? filter_->feed(bytes) : result_->feed(bytes); }
  bool complete() const { return filter_ ? filter_->complete() : !result_ || result_->complete(); }
  // Whether nothing of it is to go yet: what turns out to be none, or breaks off, can be denied in words until then.
  bool holds_back() const { return filter_ ? !filter_->complete() : result_ && !result_->streams(); }
  // Of an answer that is none, in words; and what the client is told when it breaks off on the way, or empty.
  Decision unsound(std::string_view why) const;
  std::string broken_off(const Denial& denial) const;

 private:
  struct Collected;
  void show_more();
  void read(std::string request);
  void on_verdict(Result<git::PushVerdict> verdict);
  std::string words_for(const Denial& denial, bool forwarded) const;

  const policy::GitService service_;
  git::PushQuestion question_;
  std::optional<git::PlainBody> plain_;  // nothing: it cannot be read
  git::PushReader reader_;
  bool head_read_ = false;
  bool discards_ = false;
  std::optional<Surroundings> with_;
  uint64_t shown_ = 0;
  bool finished_ = false;
  std::optional<git::PushVerdict> verdict_;
  std::function<void(Decision)> judged_;
  std::optional<git::AdvertisementFilter> filter_;
  std::optional<git::PushResult> result_;
  std::unique_ptr<git::Judging> judging_;
  Fields asked_with_;  // what a request of ours for the same repository is to say, too
  std::unique_ptr<GitRead> read_;
};

}  // namespace gatehouse::proxy
