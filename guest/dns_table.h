// The queries that are on their way, under identifiers of the relay's own: many clients share one connection to the
// host, and two may choose the same identifier.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gatehouse::guest {

class DnsTable {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using OnAnswer = std::function<void(std::string answer)>;

  static constexpr size_t kMaxOutstanding = 4096;
  static constexpr std::chrono::seconds kLifetime{5};

  // Takes note of `query` (is_query() holds) and writes the relay's identifier into it. False, with nothing taken, when
  // kMaxOutstanding are on their way already.
  bool add(std::string& query, OnAnswer on_answer, Time now);

  struct Settled {
    std::string answer;
    OnAnswer on_answer;
  };

  // The query that `response` (is_response() holds) answers, with the client's own identifier put back; nothing when no
  // query waits under its identifier.
  std::optional<Settled> settle(std::string response);

  // Those older than kLifetime, each with SERVFAIL.
  std::vector<Settled> expire(Time now);
  // All, each with SERVFAIL: the connection they went over is gone.
  std::vector<Settled> abandon();

  bool empty() const { return waiting_.empty(); }
  size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string question;  // header_and_question(), with the client's identifier
    OnAnswer on_answer;
    Time deadline;
  };

  static Settled refuse(Waiting waiting);

  std::unordered_map<uint16_t, Waiting> waiting_;
  uint16_t next_id_ = 0;
};

}  // namespace gatehouse::guest
