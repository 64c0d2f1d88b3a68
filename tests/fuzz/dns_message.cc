// The input is a run of messages, each behind a byte of instructions and a two-byte length, put to one resolver.
// Whatever they are: no reply to what is no query; every reply is a response with the query's id, opcode and question,
// parses, and keeps to the size the client takes; nothing is answered without a row but repeats and PTR; an address
// goes to another name only after its lease, and leads back to the name it was given; no address for a name the policy
// denies.
#include "dns/message.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "dns/resolver.h"

using namespace gatehouse;
using namespace gatehouse::dns;

namespace {

constexpr size_t kPoolNames = 8;

void require(bool holds) {
  if (!holds) std::abort();
}

bool allowed(std::string_view name) { return name.ends_with("a") || name.ends_with("example"); }

Decision judge(const policy::DnsQuestion& question) {
  for (const char c : question.name) {
    require((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.');
  }
  if (allowed(question.name)) return {Verdict::allow, "ok", "fine"};
  return {Verdict::deny, "no", std::string(question.name.size(), 'r')};
}

uint16_t u16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}

class Session {
 public:
  Session() : pool_(kPoolNames), resolver_(judge, pool_) {}

  void put(std::string_view message, uint8_t instructions) {
    const auto transport = (instructions & 1) != 0 ? Transport::stream : Transport::datagram;
    if ((instructions & 2) != 0) now_ += std::chrono::seconds(instructions >> 4) * 10;
    const auto step = resolver_.handle(message, transport, now_, draft_);
    require((step.kind == Step::Kind::record) == step.event.has_value());
    if (message.size() < kHeaderBytes || (u16(message, 2) & kFlagResponse) != 0) require(draft_.reply.empty());
    if (!draft_.reply.empty()) check(message, draft_.reply, transport, step);
    if (!draft_.failure.empty()) {
      check(message, draft_.failure, transport, step);
      require((u16(draft_.failure, 2) & kRcodeMask) == static_cast<uint16_t>(Rcode::servfail));
    }
    if (step.kind == Step::Kind::record) tickets_.push_back(step.ticket);
    if ((instructions & 4) != 0) return;  // the disk is slow
    for (const auto ticket : tickets_) (instructions & 8) != 0 ? resolver_.lost(ticket) : resolver_.committed(ticket);
    tickets_.clear();
  }

  void end() {
    resolver_.summaries(now_);
    resolver_.last_summaries();
  }

 private:
  void check(std::string_view message, std::string_view bytes, Transport transport, const Step& step) {
    const auto reply = read_message(bytes);
    require(reply.has_value());
    require(reply->header.id == u16(message, 0));
    require((reply->header.flags & kFlagResponse) != 0);
    const uint16_t echoed = kOpcodeMask | kFlagRecursionDesired | kFlagCheckingDisabled;
    require((reply->header.flags & echoed) == (u16(message, 2) & echoed));
    require(message.substr(kHeaderBytes).substr(0, reply->question.size()) == reply->question);
    require(reply->answers.empty() || reply->header.questions == 1);
    require(bytes.size() <= kMaxUdpBytes);
    Query query;
    const bool whole = read_query(message, query).has_value();
    require(reply->additionals.size() == (query.edns ? 1 : 0));
    if (transport == Transport::datagram) {
      require(bytes.size() <= std::max<size_t>(kMinUdpBytes, query.edns ? query.edns->udp_bytes : 0));
    }
    for (const auto& record : reply->answers) {
      require(whole && record.owner == query.name);
      if (record.type == kTypeA) check_address(query.name.text(), std::string(record.data));
      if (record.type == kTypePtr) {
        require(step.kind == Step::Kind::answer);
        check_pointer(*query.name.reverse_v4(), record.data);
      }
    }
  }

  void check_address(const std::string& name, const std::string& address) {
    require(allowed(name) && address.size() == 4);
    auto& use = uses_.try_emplace(address, Use{name, now_}).first->second;
    require(use.name == name || now_ - use.last >= kLease);
    use = {name, now_};
    require(uses_.size() <= kPoolNames);
  }

  void check_pointer(const IpAddress& address, std::string_view target) {
    auto& use = uses_.at(std::string(address.octets()));
    require(Name::from_text(use.name)->wire() == target);
    use.last = now_;
  }

  struct Use {
    std::string name;
    Time last;
  };
  Pool pool_;
  Resolver resolver_;
  Draft draft_;
  Time now_ = Time(std::chrono::hours(1));
  std::vector<uint64_t> tickets_;
  std::map<std::string, Use> uses_;  // by address
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  (void)read_message(input);
  Session session;
  while (input.size() >= 3) {
    const size_t length = std::min<size_t>(u16(input, 1), input.size() - 3);
    session.put(input.substr(3, length), static_cast<uint8_t>(input[0]));
    input.remove_prefix(3 + length);
  }
  session.end();
  return 0;
}
