#include "common/git/gate_protocol.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/ipc/frame.h"

namespace gatehouse::git {

namespace {

using nlohmann::json;

constexpr size_t kMaxTextBytes = 64 * 1024;
constexpr size_t kMaxShownBytes = 400;
constexpr size_t kShortIdBytes = 12;

std::string shown(std::string_view text) { return log::printable(text, kMaxShownBytes); }

json to_json(const Decision& decision) {
  return {{"verdict", to_string(decision.verdict)}, {"rule", decision.rule_id}, {"reason", shown(decision.reason)}};
}

Decision decision_of(const json& from) {
  const std::string word = from.at("verdict");
  Decision decision;
  decision.verdict = word == "allow" ? Verdict::allow : word == "ask" ? Verdict::ask : Verdict::deny;
  decision.rule_id = from.at("rule");
  decision.reason = from.at("reason");
  return decision;
}

json to_json(const PushFinding& found) {
  const auto& f = found.finding;
  return {{"rule", f.rule},
          {"category", f.category},
          {"title", shown(f.title)},
          {"severity", static_cast<int>(f.severity)},
          {"action", static_cast<int>(f.action)},
          {"exemption", f.exemption},
          {"confidence", static_cast<int>(f.confidence)},
          {"location", shown(f.location)},
          {"decoding", shown(f.path)},
          {"offset", f.offset},
          {"length", f.length},
          {"prefix", shown(f.prefix)},
          {"fingerprint", f.fingerprint},
          {"detail", shown(f.detail)},
          {"object", found.object},
          {"path", shown(found.path)},
          {"line", found.line}};
}

template <class E>
E enum_of(const json& from, E last) {
  const int value = from;
  if (value < 0 || value > static_cast<int>(last)) throw json::other_error::create(500, "out of range", &from);
  return static_cast<E>(value);
}

PushFinding finding_of(const json& from) {
  PushFinding found;
  auto& f = found.finding;
  f.rule = from.at("rule");
  f.category = from.at("category");
  f.title = from.at("title");
  f.severity = enum_of(from.at("severity"), FindingAction::deny);
  f.action = enum_of(from.at("action"), FindingAction::deny);
  f.exemption = from.at("exemption");
  f.confidence = enum_of(from.at("confidence"), dlp::Confidence::high);
  f.location = from.at("location");
  f.path = from.at("decoding");
  f.offset = from.at("offset");
  f.length = from.at("length");
  f.prefix = from.at("prefix");
  f.fingerprint = from.at("fingerprint");
  f.detail = from.at("detail");
  found.object = from.at("object");
  found.path = from.at("path");
  found.line = from.at("line");
  return found;
}

RefVerdict ref_of(const json& from) {
  RefVerdict ref;
  ref.command = {from.at("old"), from.at("new"), from.at("ref")};
  ref.forced = from.at("forced");
  ref.decision = decision_of(from);
  return ref;
}

template <class T, class Read>
Result<T> reading(std::string_view payload, std::string_view what, Read read) {
  try {
    return read(json::parse(payload));
  } catch (const json::exception&) {
    return fail("an incomprehensible {}", what);
  }
}

std::string frame(GateFrame type, const json& payload) {
  return ipc::encode_frame(static_cast<uint8_t>(type), payload.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

std::string encode(const PushQuestion& question) {
  return frame(GateFrame::question, {{"version", kGateProtocolVersion},
                                     {"trace_id", question.trace_id},
                                     {"host", question.host},
                                     {"port", question.port},
                                     {"repository", question.repository},
                                     {"encoding", shown(question.encoding)}});
}

Result<PushQuestion> decode_question(std::string_view payload) {
  return reading<PushQuestion>(payload, "question", [](const json& from) -> Result<PushQuestion> {
    if (from.at("version") != kGateProtocolVersion) return fail("another version of the protocol");
    PushQuestion question;
    question.trace_id = from.at("trace_id");
    question.host = from.at("host");
    question.port = from.at("port");
    question.repository = from.at("repository");
    question.encoding = from.at("encoding");
    return question;
  });
}

std::string encode(const PushVerdict& verdict) {
  json out = {{"decision", to_json(verdict.decision)},
              {"objects", verdict.objects},
              {"bytes", verdict.bytes},
              {"text", verdict.text.substr(0, kMaxTextBytes)},
              {"findings", json::array()}};
  for (const auto& found : verdict.findings) {
    if (out["findings"].size() < kMaxGateFindings) out["findings"].push_back(to_json(found));
  }
  std::string frames;
  json refs = json::array();
  for (const auto& ref : verdict.refs) {
    json one = to_json(ref.decision);
    one["old"] = ref.command.old_id;
    one["new"] = ref.command.new_id;
    one["ref"] = shown(ref.command.ref);
    one["forced"] = ref.forced;
    refs.push_back(std::move(one));
    if (refs.size() == kGateRefsInFrame) frames += frame(GateFrame::refs, std::exchange(refs, json::array()));
  }
  if (!refs.empty()) frames += frame(GateFrame::refs, refs);
  return frames + frame(GateFrame::verdict, out);
}

Result<std::optional<PushVerdict>> VerdictReader::take(uint8_t type, std::string_view payload) {
  using Read = std::optional<PushVerdict>;
  if (type == static_cast<uint8_t>(GateFrame::refs)) {
    return reading<Read>(payload, "verdict", [this](const json& from) -> Result<Read> {
      for (const auto& ref : from) refs_.push_back(ref_of(ref));
      if (refs_.size() > kMaxCommands) return fail("a verdict on more refs than there can be");
      return Read();
    });
  }
  if (type != static_cast<uint8_t>(GateFrame::verdict)) return fail("it says what it may not say");
  return reading<Read>(payload, "verdict", [this](const json& from) -> Result<Read> {
    PushVerdict verdict;
    verdict.refs = std::move(refs_);
    verdict.decision = decision_of(from.at("decision"));
    verdict.objects = from.at("objects");
    verdict.bytes = from.at("bytes");
    verdict.text = from.at("text");
    for (const auto& found : from.at("findings")) verdict.findings.push_back(finding_of(found));
    for (const auto& ref : verdict.refs) {
      if (stricter(verdict.decision.verdict, ref.decision.verdict) != verdict.decision.verdict) {
        return fail("a verdict that contradicts itself");
      }
    }
    for (const auto& found : verdict.findings) {
      if (found.finding.action >= FindingAction::redact && verdict.decision.verdict != Verdict::deny) {
        return fail("a verdict that contradicts itself");
      }
    }
    return verdict;
  });
}

std::string place_of(const PushFinding& finding) {
  std::string words = finding.finding.location;
  if (!finding.path.empty()) words = finding.path;
  if (finding.line > 0) words += fmt::format(" line {}", finding.line);
  if (!finding.object.empty()) words += fmt::format(" (object {})", finding.object.substr(0, kShortIdBytes));
  return words;
}

}  // namespace gatehouse::git
