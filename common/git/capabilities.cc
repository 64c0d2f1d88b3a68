#include "common/git/capabilities.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/base/log.h"

namespace gatehouse::git {

namespace {

constexpr std::string_view kObjectFormat = "object-format";

constexpr std::string_view kPushCert = "push-cert";  // a server's word alone: clients say so with the certificate

constexpr std::string_view kKnown[] = {"report-status", "report-status-v2", "delete-refs",   "quiet",
                                       "atomic",        "ofs-delta",        "side-band-64k", "agent",
                                       "session-id",    "push-options",     "no-thin",       kObjectFormat};

struct Word {
  std::string_view name;
  std::string_view value;
  std::string_view text;
};

std::vector<Word> split(std::string_view words) {
  std::vector<Word> list;
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (word.empty()) continue;
    const auto name = word.substr(0, word.find('='));
    list.push_back({name, word.substr(std::min(name.size() + 1, word.size())), word});
  }
  return list;
}

bool is_known(std::string_view name) {
  return std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown);
}

}  // namespace

Result<PushCapabilities> parse_push_capabilities(std::string_view words) {
  PushCapabilities agreed;
  std::set<std::string_view> seen;
  for (const auto& [name, value, text] : split(words)) {
    if (!is_known(name)) return fail("the capability '{}' cannot be checked", log::printable(name, 64));
    if (!seen.insert(name).second) return fail("the capability '{}' is named twice", name);
    if (name == "report-status-v2") agreed.report = Report::v2;
    if (name == "report-status" && agreed.report == Report::none) agreed.report = Report::plain;
    if (name == "side-band-64k") agreed.side_band = true;
    if (name == "atomic") agreed.atomic = true;
    if (name == "push-options") agreed.push_options = true;
    if (name != kObjectFormat) continue;
    if (value != "sha1" && value != "sha256")
      return fail("the object format '{}' is not known", log::printable(value, 64));
    agreed.format = value == "sha1" ? ObjectFormat::sha1 : ObjectFormat::sha256;
  }
  return agreed;
}

std::string filter_push_capabilities(std::string_view offered, bool signatures) {
  std::string kept;
  for (const auto& [name, value, text] : split(offered)) {
    const bool passes = (is_known(name) && name != "no-thin") || (signatures && name == kPushCert);
    if (passes) kept.append(text).append(" ");
  }
  return kept + "no-thin";
}

}  // namespace gatehouse::git
