#include "mcp-gateway/pins.h"

#include <algorithm>
#include <map>

#include "common/base/log.h"
#include "common/base/uuid.h"
#include "common/mcp/shown_name.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kChangedRule = "mcp.changed";
constexpr std::string_view kNewRule = "mcp.new";
constexpr std::string_view kShadowRule = "mcp.shadow";
constexpr std::string_view kPinsRule = "mcp.pins";
constexpr std::string_view kWhatToDo = "; an operator can look at it with `gatehouse mcp pins` and approve it";

bool share_names(const policy::McpServer& a, const policy::McpServer& b) {
  const auto names = [](const policy::McpServer& one, const policy::McpServer& other) {
    const auto& list = one.shares_names_with;
    return std::find(list.begin(), list.end(), other.name) != list.end();
  };
  return names(a, b) || names(b, a);
}

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// Whether `text` speaks of a tool by the name under which that server's are shown.
bool speaks_of(std::string_view text, const std::string& server) {
  const std::string prefix = server + std::string(kBetweenNames);
  for (size_t at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
    const size_t after = at + prefix.size();
    const bool begins = at == 0 || !is_word_byte(text[at - 1]);
    if (begins && after < text.size() && is_word_byte(text[after])) return true;
  }
  return false;
}

}  // namespace

std::string look_of(std::string_view name) {
  constexpr std::pair<std::string_view, char> kPairs[] = {{"rn", 'm'}, {"vv", 'w'}};
  std::string plain;
  for (const char c : name) {
    if (c == '|') {
      plain += 'l';
    } else if (is_word_byte(c) && c != '-' && c != '_') {
      plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  std::string look;
  for (size_t i = 0; i < plain.size(); ++i) {
    const auto pair = std::find_if(std::begin(kPairs), std::end(kPairs), [&](const auto& one) {
      return std::string_view(plain).substr(i).starts_with(one.first);
    });
    if (pair != std::end(kPairs)) {
      look += pair->second;
      i += pair->first.size() - 1;
      continue;
    }
    const char c = plain[i];
    look += c == '0' ? 'o' : c == '1' || c == 'i' ? 'l' : c == '5' ? 's' : c;
  }
  return look;
}

// Why a tool is objected to, and whether a person's approval would change that.
struct Pins::Judgement {
  Decision why;
  bool approvable = true;
};

bool Pins::knows(const policy::McpServer& server, const std::string& tool) const {
  return file_.held(origin_of(server), tool) != nullptr;
}

void Pins::fail_for_good(const Error& why) {
  if (!broken_.empty()) return;
  broken_ = why.message();
  log::error("no tool is shown any more: {}", broken_);
}

bool Pins::refresh() {
  if (!broken_.empty()) return false;
  const auto changed = file_.refresh();
  if (changed) return *changed;
  fail_for_good(changed.error());
  return true;
}

std::vector<Pins::Judged> Pins::judge(const std::vector<policy::McpServer>& servers, const policy::McpServer& server,
                                      const std::vector<Item>& tools, const MayCall& may_call) {
  const std::string origin = origin_of(server);
  struct Other {
    const policy::McpServer* server;
    const PinEntry* pin;
  };
  std::multimap<std::string, Other> others;  // by look
  std::map<std::string, const policy::McpServer*> foreign;
  for (const auto& one : servers) {
    if (one.name == server.name) continue;
    foreign.emplace(origin_of(one), &one);
  }
  for (const PinEntry* held : file_.all_held()) {
    const auto of = foreign.find(held->origin);
    if (of == foreign.end() || held->origin == origin || share_names(*of->second, server)) continue;
    if (may_call(of->second->name, held->tool)) others.emplace(look_of(held->tool), Other{of->second, held});
  }

  const auto judge_one = [&](const Item& tool) -> std::optional<Judgement> {
    if (!broken_.empty()) {
      return Judgement{{Verdict::deny, std::string(kPinsRule), "what was approved of tools cannot be read"}, false};
    }
    const PinEntry* held = file_.held(origin, tool.name);
    const bool same = held != nullptr && held->pin == tool.pin;
    const bool by_person = same && held->what == PinEntry::What::approved;
    if (tool.suspicion && (!by_person || !tool.suspicion->approvable)) {
      return Judgement{tool.suspicion->why, tool.suspicion->approvable};
    }
    if (by_person) return std::nullopt;
    if (held != nullptr && !same) {
      return Judgement{{Verdict::deny, std::string(kChangedRule), "its definition is not the one that was approved"}};
    }
    // Both also of one that is pinned: it may have been when the other server was none of the session's.
    const std::string text = json::write(tool.whole);
    for (const auto& [other_origin, other] : foreign) {
      if (!speaks_of(text, other->name)) continue;
      return Judgement{{Verdict::deny, std::string(kShadowRule),
                        fmt::format("its definition speaks of the tools of server '{}'", other->name)}};
    }
    const auto [first, last] = others.equal_range(look_of(tool.name));
    const auto before =
        std::find_if(first, last, [&](const auto& one) { return !same || one.second.pin->since_us < held->since_us; });
    if (before != last) {
      const Other& other = before->second;
      return Judgement{
          {Verdict::deny, std::string(kShadowRule),
           fmt::format("server '{}' has the tool '{}' already, and the two are easily taken for each other",
                       other.server->name, other.pin->tool)}};
    }
    if (same) return std::nullopt;
    if (server.new_tools == policy::NewTools::approve) {
      return Judgement{{Verdict::deny, std::string(kNewRule), "nobody has approved it yet"}};
    }
    return std::nullopt;
  };

  std::vector<PinEntry> entries;
  const auto put_down = [&](const Item& tool, PinEntry::What what, const std::string& reason) {
    entries.push_back({.what = what,
                       .server = server.name,
                       .origin = origin,
                       .tool = tool.name,
                       .pin = tool.pin,
                       .reason = reason,
                       .by = "",
                       .time_us = now_utc_us(),
                       .definition = tool.whole});
  };
  for (const auto& tool : tools) {
    const auto judgement = judge_one(tool);
    if (!judgement) {
      if (file_.held(origin, tool.name) == nullptr) put_down(tool, PinEntry::What::first, "");
      continue;
    }
    if (!judgement->approvable) continue;
    const PinEntry* waiting = file_.waiting(origin, tool.name);
    if (waiting != nullptr && waiting->pin == tool.pin) continue;
    if (waiting_written_[server.name]++ < kMaxWaitingOfServer) {
      put_down(tool, PinEntry::What::waiting, judgement->why.reason);
    }
  }
  if (!entries.empty() && broken_.empty()) {
    if (const auto written = file_.append(entries); !written) fail_for_good(written.error());
  }

  // Once more, by what is written now: another session may have been first.
  std::vector<Judged> answers;
  for (const auto& tool : tools) {
    Judged answer;
    const PinEntry* held = file_.held(origin, tool.name);
    if (auto judgement = judge_one(tool)) {
      if (judgement->approvable) judgement->why.reason += kWhatToDo;
      answer.objection = std::move(judgement->why);
    } else if (held != nullptr && held->what == PinEntry::What::approved) {
      answer.approved_by = held->by;
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace gatehouse::mcp
