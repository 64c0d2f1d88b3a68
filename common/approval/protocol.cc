#include "common/approval/protocol.h"

#include <nlohmann/json.hpp>

#include "common/ipc/frame.h"

namespace gatehouse::approval {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr int64_t kMaxTimeMs = int64_t{7} * 24 * 3600 * 1000;

std::string frame(FrameType type, const json& payload) {
  return ipc::encode_frame(static_cast<uint8_t>(type), payload.dump(-1, ' ', true, json::error_handler_t::replace));
}

std::string cut(const std::string& text) { return text.substr(0, kMaxTextBytes); }

json to_json(const Wanted& wanted) {
  return {{"id", wanted.id},
          {"trace_id", cut(wanted.trace_id)},
          {"rule", cut(wanted.rule)},
          {"reason", cut(wanted.reason)},
          {"channel", cut(wanted.channel)},
          {"what", cut(wanted.what)},
          {"detail", cut(wanted.detail)},
          {"key", cut(wanted.key)},
          {"time_ms", wanted.time.count()}};
}

// Takes members one by one; the first that is missing or of another type is what it complains of.
class ObjectReader {
 public:
  explicit ObjectReader(const json& object) : object_(object) {
    if (!object.is_object()) error_ = "not an object";
  }

  std::string text(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_string()) return wrong(key), std::string();
    auto text = value->get<std::string>();
    // Cut anew: escapes may make more of what was cut.
    if (text.size() > 4 * kMaxTextBytes) return wrong(key), std::string();
    return text;
  }
  uint64_t number(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned()) return wrong(key), 0;
    return value->get<uint64_t>();
  }
  milliseconds time(const char* key) {
    const uint64_t value = number(key);
    if (value > static_cast<uint64_t>(kMaxTimeMs)) return wrong(key), milliseconds(0);
    return milliseconds(static_cast<int64_t>(value));
  }
  bool truth(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return wrong(key), false;
    return value->get<bool>();
  }
  Scope scope(const char* key) {
    const std::string word = text(key);
    if (error_.empty() && word != "once" && word != "session") wrong(key);
    return word == "session" ? Scope::session : Scope::once;
  }
  const json& member(const char* key) {
    const json* value = find(key);
    return value == nullptr ? object_ : *value;
  }

  template <class T>
  Result<T> finish(T value) const {
    if (error_.empty() && object_.size() == taken_) return value;
    return fail("approval message: {}", error_.empty() ? "unknown members" : error_);
  }

 private:
  const json* find(const char* key) {
    ++taken_;
    if (!error_.empty()) return nullptr;
    const auto found = object_.find(key);
    if (found == object_.end()) return wrong(key), nullptr;
    return &*found;
  }
  void wrong(const char* key) {
    if (error_.empty()) error_ = fmt::format("'{}' is missing or wrong", key);
  }

  const json& object_;
  size_t taken_ = 0;
  std::string error_;
};

json parse_json(std::string_view payload) { return json::parse(payload, nullptr, false); }

Result<Wanted> wanted_of(const json& object) {
  ObjectReader reader(object);
  Wanted wanted;
  wanted.id = reader.number("id");
  wanted.trace_id = reader.text("trace_id");
  wanted.rule = reader.text("rule");
  wanted.reason = reader.text("reason");
  wanted.channel = reader.text("channel");
  wanted.what = reader.text("what");
  wanted.detail = reader.text("detail");
  wanted.key = reader.text("key");
  wanted.time = reader.time("time_ms");
  return reader.finish(std::move(wanted));
}

}  // namespace

std::string_view to_string(Scope scope) { return scope == Scope::once ? "once" : "session"; }

std::string encode(const Wanted& wanted) { return frame(FrameType::wanted, to_json(wanted)); }

std::string encode_withdrawn(uint64_t id) { return frame(FrameType::withdrawn, {{"id", id}}); }

std::string encode(const Decided& decided) {
  return frame(FrameType::decided, {{"id", decided.id},
                                    {"allowed", decided.allowed},
                                    {"scope", to_string(decided.scope)},
                                    {"by", cut(decided.by)},
                                    {"reason", cut(decided.reason)}});
}

std::string encode_reload() { return frame(FrameType::reload, json::object()); }
std::string encode_list() { return frame(FrameType::list, json::object()); }

std::string encode(const std::vector<Pending>& pending) {
  json list = json::array();
  for (const auto& one : pending) {
    list.push_back({{"number", one.number},
                    {"waited_ms", one.waited.count()},
                    {"left_ms", one.left.count()},
                    {"wanted", to_json(one.wanted)}});
  }
  return frame(FrameType::pending, {{"pending", std::move(list)}});
}

std::string encode(const Decide& decide) {
  return frame(FrameType::decide,
               {{"number", decide.number}, {"allow", decide.allow}, {"scope", to_string(decide.scope)}});
}

std::string encode(const Reply& reply) {
  return frame(FrameType::reply, {{"done", reply.done}, {"message", cut(reply.message)}});
}

Result<Wanted> parse_wanted(std::string_view payload) { return wanted_of(parse_json(payload)); }

Result<uint64_t> parse_withdrawn(std::string_view payload) {
  const json object = parse_json(payload);
  ObjectReader reader(object);
  const uint64_t id = reader.number("id");
  return reader.finish(id);
}

Result<Decided> parse_decided(std::string_view payload) {
  const json object = parse_json(payload);
  ObjectReader reader(object);
  Decided decided;
  decided.id = reader.number("id");
  decided.allowed = reader.truth("allowed");
  decided.scope = reader.scope("scope");
  decided.by = reader.text("by");
  decided.reason = reader.text("reason");
  return reader.finish(std::move(decided));
}

Result<std::vector<Pending>> parse_pending(std::string_view payload) {
  const json object = parse_json(payload);
  ObjectReader reader(object);
  const json& list = reader.member("pending");
  std::vector<Pending> pending;
  if (auto ok = reader.finish(true); !ok) return failed(ok);
  if (!list.is_array()) return fail("approval message: 'pending' is no list");
  for (const auto& item : list) {
    ObjectReader one(item);
    Pending entry;
    entry.number = one.number("number");
    entry.waited = one.time("waited_ms");
    entry.left = one.time("left_ms");
    const json& inner = one.member("wanted");
    auto whole = one.finish(std::move(entry));
    if (!whole) return failed(whole);
    auto wanted = wanted_of(inner);
    if (!wanted) return failed(wanted);
    whole->wanted = std::move(*wanted);
    pending.push_back(std::move(*whole));
  }
  return pending;
}

Result<Decide> parse_decide(std::string_view payload) {
  const json object = parse_json(payload);
  ObjectReader reader(object);
  Decide decide;
  decide.number = reader.number("number");
  decide.allow = reader.truth("allow");
  decide.scope = reader.scope("scope");
  return reader.finish(decide);
}

Result<Reply> parse_reply(std::string_view payload) {
  const json object = parse_json(payload);
  ObjectReader reader(object);
  Reply reply;
  reply.done = reader.truth("done");
  reply.message = reader.text("message");
  return reader.finish(std::move(reply));
}

}  // namespace gatehouse::approval
