#include "dns/resolver.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "common/base/uuid.h"

namespace gatehouse::dns {

namespace {

constexpr size_t kMaxErrorTextBytes = 240;
constexpr std::chrono::seconds kFirstFloodReport{1};
constexpr std::chrono::seconds kSlowestFloodReport{64};
constexpr std::string_view kFloodRule = "dns.flood";

// First bytes of keys that are no names: a name's first byte is a label length of at most 63.
constexpr char kKeyOfFault = '\xff';
constexpr char kKeyOfRefusal = '\xfe';

// The key under which the answer to `query` is remembered: the name and its type, or for what is refused whatever the
// name is, the rule (one row a second is enough for those).
using KeyBuffer = std::array<char, kMaxNameBytes + 2>;

std::string_view name_key(const Query& query, KeyBuffer& buffer) {
  const auto wire = query.name.wire();
  std::memcpy(buffer.data(), wire.data(), wire.size());
  buffer[wire.size()] = static_cast<char>(query.type >> 8);
  buffer[wire.size() + 1] = static_cast<char>(query.type & 0xff);
  return {buffer.data(), wire.size() + 2};
}

std::string_view short_key(char first, std::string_view text, KeyBuffer& buffer) {
  text = text.substr(0, buffer.size() - 1);
  buffer[0] = first;
  std::memcpy(buffer.data() + 1, text.data(), text.size());
  return {buffer.data(), text.size() + 1};
}

// `text` cut to at most `limit` bytes, never inside a UTF-8 character (RFC 8914 section 2 wants EXTRA-TEXT to be
// UTF-8).
std::string_view cut_utf8(std::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<uint8_t>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

std::string explain(const Decision& decision, std::string_view event_id) {
  const auto tail = fmt::format(" (rule {}, event {})", decision.rule_id, event_id);
  const size_t room = kMaxErrorTextBytes > tail.size() ? kMaxErrorTextBytes - tail.size() : 0;
  return fmt::format("{}{}", cut_utf8(decision.reason, room), tail);
}

RecentAnswer answer_to(const Query& query, Decision decision, Rcode rcode, Reply::Content content) {
  RecentAnswer answer;
  answer.rcode = rcode;
  answer.content = content;
  auto& event = answer.event;
  event.event_id = make_uuid();
  event.trace_id = event.event_id;
  event.decision = std::move(decision);
  event.rcode = to_string(rcode);
  if (!query.question.empty()) {
    event.name = query.name.text();
    event.type = type_text(query.type);
  }
  return answer;
}

RecentAnswer denied(const Query& query, Decision decision, Rcode rcode, Reply::Content content, ErrorCode code) {
  auto answer = answer_to(query, std::move(decision), rcode, content);
  answer.error_code = code;
  answer.error_text = explain(answer.event.decision, answer.event.event_id);
  return answer;
}

RecentAnswer no_such_name(const Query& query, Decision decision) {
  return denied(query, std::move(decision), Rcode::nxdomain, Reply::Content::negative, ErrorCode::blocked);
}

Decision deny(std::string_view rule, std::string reason) {
  return {Verdict::deny, std::string(rule), std::move(reason)};
}

// The labels of an uncompressed question, joined by dots, byte for byte: a secret's letters have a case, names have
// none. A compressed or cut one ends where it cannot be followed.
std::string name_as_asked(std::string_view question) {
  std::string text;
  for (size_t at = 0; at < question.size();) {
    const size_t length = static_cast<uint8_t>(question[at]);
    if (length == 0 || length > kMaxLabelBytes || at + 1 + length > question.size()) break;
    if (!text.empty()) text += '.';
    text += question.substr(at + 1, length);
    at += 1 + length;
  }
  return text;
}

struct Refusal {
  std::string_view rule;
  std::string_view reason;
  Rcode rcode;
  ErrorCode code;
};

// What is turned away whatever the name is.
const Refusal* refusal_of(const Query& query) {
  static constexpr Refusal kOpcode{"dns.opcode", "only standard queries are answered", Rcode::notimp,
                                   ErrorCode::not_supported};
  static constexpr Refusal kVersion{"dns.edns-version", "only EDNS version 0 is known", Rcode::badvers,
                                    ErrorCode::not_supported};
  static constexpr Refusal kClass{"dns.class", "only class IN is answered", Rcode::refused, ErrorCode::prohibited};
  static constexpr Refusal kMetaType{"dns.type", "zone transfers and other meta types are not answered", Rcode::refused,
                                     ErrorCode::prohibited};
  if (!query.is_standard()) return &kOpcode;
  if (query.edns && query.edns->version != 0) return &kVersion;
  if (query.klass != kClassIn) return &kClass;
  // Meta types and QTYPEs (RFC 6895 section 3.1) but ANY, and OPT.
  if (query.type == 0 || query.type == kTypeOpt || (query.type >= 128 && query.type < kTypeAny)) return &kMetaType;
  return nullptr;
}

}  // namespace

Step Resolver::handle(std::string_view message, Transport transport, Time now, Draft& draft) {
  draft.reply = draft.failure = draft.denial = {};
  recent_.expire(now, summaries_);
  Query query;
  KeyBuffer buffer;
  std::string_view key;
  const auto read = read_query(message, query);
  const Refusal* refusal = nullptr;
  if (!read) {
    key = short_key(kKeyOfFault, read.error().message(), buffer);
  } else if ((refusal = refusal_of(query)) != nullptr) {
    key = short_key(kKeyOfRefusal, refusal->rule, buffer);
  } else {
    key = name_key(query, buffer);
  }
  if (auto* known = recent_.find(key); known != nullptr && !known->lost)
    return repeat(query, *known, transport, now, draft);
  const bool named = read && refusal == nullptr;
  if (named && answer_reverse(query, transport, now, draft)) return {};
  if (!budget_.spend(now)) {
    refuse_flood(query, transport, draft);
    return {};
  }
  if (!read) {
    auto decision = deny("dns.malformed", "malformed message: " + read.error().message());
    return record(query, key,
                  denied(query, std::move(decision), Rcode::formerr, Reply::Content::nothing, ErrorCode::other),
                  transport, now, draft);
  }
  if (refusal != nullptr) {
    auto decision = deny(refusal->rule, std::string(refusal->reason));
    return record(query, key,
                  denied(query, std::move(decision), refusal->rcode, Reply::Content::nothing, refusal->code), transport,
                  now, draft);
  }
  auto answer = decide(query, now);
  const bool allowed = answer.event.decision.allowed();
  const auto* noticed = watch_.note(answer.event.name, query.type, allowed, now, summaries_);
  if (noticed != nullptr) return count(query, key, std::move(answer), *noticed, transport, now, draft);
  return record(query, key, std::move(answer), transport, now, draft);
}

RecentAnswer Resolver::decide(const Query& query, Time now) {
  if (query.type == kTypePtr && query.name.in_reverse_tree()) {
    return no_such_name(query, deny("dns.reverse", "no name was given an address of this kind"));
  }
  // What a policy's pattern sees must be what was asked: a label with a dot or a zero byte in it could pass for another
  // name.
  if (!query.name.is_plain()) {
    return no_such_name(query, deny("dns.name", "not a host name: only letters, digits, hyphens and underscores are"));
  }
  return decide_name(query, now);
}

RecentAnswer Resolver::decide_name(const Query& query, Time now) {
  const auto name = query.name.text();
  auto decision = judge_({name, type_text(query.type)});
  if (decision.verdict == Verdict::ask) {
    // Nobody is asked about a look-up; an approval belongs to the request that would follow it.
    decision.verdict = Verdict::deny;
    decision.reason = "a look-up cannot wait for an approval: " + decision.reason;
  }
  if (!decision.allowed()) return no_such_name(query, std::move(decision));
  if (query.type == kTypeAny) return answer_to(query, std::move(decision), Rcode::noerror, Reply::Content::any);
  if (query.type != kTypeA) return answer_to(query, std::move(decision), Rcode::noerror, Reply::Content::negative);
  const auto address = pool_.take(name, now);
  if (!address) {
    return no_such_name(
        query,
        deny("dns.pool-full", fmt::format("{} names are in use in this session, which is the limit", pool_.names())));
  }
  auto answer = answer_to(query, std::move(decision), Rcode::noerror, Reply::Content::address);
  answer.address = *address;
  answer.event.address = address->to_string();
  return answer;
}

Step Resolver::record(const Query& query, std::string_view key, RecentAnswer answer, Transport transport, Time now,
                      Draft& draft) {
  Step step;
  step.kind = Step::Kind::record;
  step.ticket = answer.ticket = next_ticket_++;
  step.event = answer.event;
  if (query.answerable) {
    Reply failure;
    failure.rcode = Rcode::servfail;
    failure.error = ExtendedError{ErrorCode::not_ready, "the audit log cannot be written, so nothing is answered"};
    draft.reply = write_reply(query, answer.reply(), transport, draft.reply_bytes);
    draft.failure = write_reply(query, failure, transport, draft.failure_bytes);
    write_denial(query, answer.event.event_id, transport, draft);
  }
  if (scanned_ && !answer.event.name.empty()) step.asked = name_as_asked(query.question);
  Open open{step.ticket, nullptr, std::nullopt};
  if (answer.content == Reply::Content::address) open.address = answer.address;
  open.answer = recent_.remember(key, std::move(answer), now);
  open_.push_back(open);
  return step;
}

Step Resolver::count(const Query& query, std::string_view key, RecentAnswer answer, const std::string& event_id,
                     Transport transport, Time now, Draft& draft) {
  answer.counted = true;
  answer.event.event_id = event_id;
  answer.error_text = explain(answer.event.decision, event_id);
  draft.reply = write_reply(query, answer.reply(), transport, draft.reply_bytes);
  Step step;
  if (scanned_) {
    step.asked = name_as_asked(query.question);
    step.trace_id = event_id;
  }
  recent_.remember(key, std::move(answer), now);
  return step;
}

Step Resolver::repeat(const Query& query, RecentAnswer& answer, Transport transport, Time now, Draft& draft) {
  ++answer.repeats;
  if (answer.content == Reply::Content::address) pool_.renew(answer.address, now);
  Step step;
  if (answer.ticket != 0) {
    step.kind = Step::Kind::wait;
    step.ticket = answer.ticket;
  }
  if (!query.answerable) return step;
  draft.reply = write_reply(query, answer.reply(), transport, draft.reply_bytes);
  if (step.kind == Step::Kind::wait) {
    Reply failure;
    failure.rcode = Rcode::servfail;
    draft.failure = write_reply(query, failure, transport, draft.failure_bytes);
    write_denial(query, answer.event.event_id, transport, draft);
  }
  return step;
}

void Resolver::write_denial(const Query& query, const std::string& event_id, Transport transport, Draft& draft) const {
  if (!scanned_) return;
  const auto text = fmt::format("held back by the secret scanner, see the audit log (event {})", event_id);
  Reply denial;
  denial.rcode = Rcode::nxdomain;
  denial.content = Reply::Content::negative;
  denial.error = ExtendedError{ErrorCode::blocked, text};
  draft.denial = write_reply(query, denial, transport, draft.denial_bytes);
}

bool Resolver::answer_reverse(const Query& query, Transport transport, Time now, Draft& draft) {
  const auto address = query.name.reverse_v4();
  const std::string* name = address ? pool_.name_of(*address) : nullptr;
  if (name == nullptr) return false;
  pool_.renew(*address, now);
  Reply reply;
  reply.rcode = Rcode::noerror;
  reply.content = query.type == kTypeAny ? Reply::Content::any : Reply::Content::negative;
  Name target;
  if (query.type == kTypePtr) {
    target = *Name::from_text(*name);  // the pool holds plain names only
    reply.content = Reply::Content::pointer;
    reply.target = target.wire();
  }
  draft.reply = write_reply(query, reply, transport, draft.reply_bytes);
  return true;
}

void Resolver::refuse_flood(const Query& query, Transport transport, Draft& draft) {
  ++refused_;
  if (!query.answerable) return;
  Reply reply;
  reply.rcode = Rcode::refused;
  reply.error = ExtendedError{ErrorCode::prohibited, "too many different questions, ask again later (rule dns.flood)"};
  draft.reply = write_reply(query, reply, transport, draft.reply_bytes);
}

Resolver::Open Resolver::close(uint64_t ticket) {
  assert(!open_.empty() && open_.front().ticket == ticket);
  const Open open = open_.front();
  open_.pop_front();
  if (open.answer != nullptr && open.answer->ticket == ticket) open.answer->ticket = 0;
  return open;
}

void Resolver::committed(uint64_t ticket) {
  if (const auto open = close(ticket); open.address) pool_.give_out(*open.address);
}

void Resolver::lost(uint64_t ticket) {
  const auto open = close(ticket);
  if (open.address) pool_.withdraw(*open.address);
  if (open.answer == nullptr) return;
  open.answer->lost = true;
  open.answer->repeats = 0;
}

// A flood that goes on is told of less and less often; one that has paused is a new one.
void Resolver::sum_up_flood(Time now) {
  if (now - refused_told_ < refused_period_) return;
  if (refused_ == 0) {
    refused_period_ = {};
    return;
  }
  audit::DnsEvent event;
  event.event_id = make_uuid();
  event.trace_id = event.event_id;
  event.decision =
      deny(kFloodRule, fmt::format("refused {} different questions, more than {} a second", refused_, kRowsPerSecond));
  event.rcode = to_string(Rcode::refused);
  summaries_.push_back(std::move(event));
  refused_ = 0;
  refused_told_ = now;
  refused_period_ = std::clamp(refused_period_ * 2, kFirstFloodReport, kSlowestFloodReport);
}

void Resolver::forget_answers() {
  recent_.expire_all(summaries_);
  for (auto& open : open_) open.answer = nullptr;
}

std::vector<audit::DnsEvent> Resolver::summaries(Time now) {
  recent_.expire(now, summaries_);
  watch_.sum_up(now, summaries_);
  sum_up_flood(now);
  return std::exchange(summaries_, {});
}

std::vector<audit::DnsEvent> Resolver::last_summaries() {
  recent_.expire_all(summaries_);
  watch_.sum_up_all(summaries_);
  open_.clear();
  sum_up_flood(Time::max());
  return std::exchange(summaries_, {});
}

}  // namespace gatehouse::dns
