#include "proxy/git_read.h"

#include <fmt/format.h>

#include "proxy/exchange.h"

namespace gatehouse::proxy {

namespace {

constexpr int kOk = 200;
constexpr std::string_view kPush = "/git-receive-pack";
constexpr std::string_view kFetch = "/git-upload-pack";
constexpr std::string_view kOffer = "/info/refs?service=git-upload-pack";

}  // namespace

std::unique_ptr<GitRead> GitRead::start(For with, std::string body) {
  std::unique_ptr<GitRead> read(new GitRead(std::move(with)));
  read->ask(std::move(body));
  return read;
}

GitRead::GitRead(For with) : with_(std::move(with)) {}

GitRead::~GitRead() { ended_ = true; }

void GitRead::ask(std::string body) {
  std::string_view repository = without_query(with_.push.path);
  if (!repository.ends_with(kPush)) return end("the repository's path is not known");
  repository.remove_suffix(kPush.size());
  RequestHead head;
  head.form = with_.push.form;
  head.scheme = with_.push.scheme;
  head.host = with_.push.host;
  head.port = with_.push.port;
  head.http2 = with_.push.http2;
  head.method = body.empty() ? "GET" : "POST";
  head.path = std::string(repository).append(body.empty() ? kOffer : kFetch);
  head.fields = with_.fields;
  head.fields.push_back({"Git-Protocol", "version=2"});
  head.fields.push_back({"Accept-Encoding", "identity"});
  if (!body.empty()) {
    head.fields.push_back({"Content-Type", "application/x-git-upload-pack-request"});
    head.fields.push_back({"Accept", "application/x-git-upload-pack-result"});
    head.framing = {Framing::Kind::length, body.size()};
  }
  exchange_ = std::make_unique<Exchange>(with_.outside, static_cast<GuestLeg&>(*this), with_.origin);
  exchange_->belong_to(with_.trace_id);
  exchange_->start(head);
  if (wanted_ && !body.empty()) exchange_->on_request_body(body);
  if (wanted_) exchange_->on_request_complete({});
}

void GitRead::on_drained() {
  if (exchange_ && !ended_) exchange_->on_guest_drained();
}

bool GitRead::on_deadline() {
  if (ended_) return false;
  exchange_->on_deadline();
  return true;
}

void GitRead::send_head(const ResponseHead& head) {
  if (head.status != kOk) why_not_ = fmt::format("it answers with status {}", head.status);
}

void GitRead::send_body(std::string_view bytes) {
  if (why_not_.empty() && !ended_) with_.judging.came(bytes);
}

void GitRead::send_end(const Fields&) { end(why_not_); }

void GitRead::send_denial(const Denial& denial) { end(fmt::format("{}: {}", denial.rule, denial.reason)); }

void GitRead::cut() { end("its answer broke off"); }

void GitRead::set_deadline(std::chrono::milliseconds after) {
  if (!ended_) with_.set_deadline(after);
}

void GitRead::end(std::string_view why_not) {
  if (std::exchange(ended_, true)) return;
  with_.over();
  with_.judging.came_end(why_not);
}

}  // namespace gatehouse::proxy
