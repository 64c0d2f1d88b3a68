// Which tools the models of a session have called, and which of the calls have been answered. A conversation is sent
// again whole with each turn, so that most answers a request brings are old.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gatehouse::proxy {

inline constexpr size_t kMaxToolsRemembered = 8192;  // the least recently used are forgotten

// For any thread.
class ToolLedger {
 public:
  struct Call {
    std::string name;
    std::string trace_id;
  };

  // A model on `host` asks for it. An id that is used again stands for the new call. Without an id the name stands for
  // the latest call of that name.
  void called(const std::string& host, const std::string& id, const Call& call);

  bool is_answered(const std::string& host, const std::string& id) const;

  // An answer has come: to which call; nothing when none like it was seen.
  std::optional<Call> answered(const std::string& host, const std::string& id, const std::string& name);

  size_t size() const;

 private:
  struct Entry {
    std::string key;
    Call call;
    bool seen = false;  // the call, not only an answer
    bool answered = false;
  };
  static std::string key_of(const std::string& host, const std::string& id, const std::string& name);
  Entry& entry(std::string key);

  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace gatehouse::proxy
