// The first byte says how many of the following say where the rest, a layer, is cut. However it is cut, the same is
// found in the same places, and checks on the way lose nothing.
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <tuple>

#include "dlp/rule_reader.h"

namespace {

using namespace gatehouse::dlp;

constexpr size_t kLargestPiece = 5000;  // more than the reader holds back

void require(bool holds) {
  if (!holds) std::abort();
}

Rule rule(std::string id, std::string pattern, std::vector<std::string> keywords, int group = 0) {
  Rule made;
  made.id = std::move(id);
  made.pattern = std::move(pattern);
  made.keywords = std::move(keywords);
  made.group = group;
  return made;
}

// One of each kind: with a prefix, a keyword in the middle, none, several; anchored, unbounded, judged.
RuleWorkspace& workspace() {
  static const std::unique_ptr<RuleWorkspace> made = [] {
    std::vector<Rule> rules = {
        rule("prefix", "abc_[a-z]{4}", {"abc_"}),
        rule("middle", "[a-z]{1,9}:key[=:]([a-z0-9]{2,40})", {":key"}, 1),
        rule("none", "\\b[0-9]{4}(?:-?[0-9]{4}){1,3}\\b", {}),
        rule("digits", "(?:^|[^0-9])([0-9]{4}(?: ?[0-9]{4}){2})(?:[^0-9]|$)", {}, 1),
        rule("letters", "[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4,9}", {}),
        rule("several", "(?i)(?:one|two)[0-9]*three", {"one", "two", "three"}),
        rule("start", "^top[0-9]", {"top"}),
        rule("end", "bottom[0-9]?$", {"bottom"}),
        rule("unbounded", "(?s)<<<.+>>>", {"<<<"}),
        rule("judged", "pass ?= ?([^ ]{3,})", {"pass"}, 1),
    };
    rules.back().entropy = 1.2;
    rules[3].shape = "digit-groups";
    rules[4].shape = "letters-digits";
    auto table = RuleTable::build(std::move(rules), "");
    require(table.has_value());
    return RuleWorkspace::create(std::move(*table)).value();
  }();
  return *made;
}

using Found = std::tuple<std::string_view, uint64_t, uint64_t, std::string>;

class Finder {
 public:
  void write(std::string_view bytes) {
    const std::string copy(bytes);  // a heap block of its own, gone after the call
    reader_.write(copy, note_);
  }
  void check() { reader_.check(note_); }
  std::vector<Found> end() {
    reader_.end(note_);
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  RuleReader reader_{workspace()};
  std::vector<Found> found_;
  OnMatch note_ = [this](const Match& match) {
    found_.emplace_back(match.rule->id, match.begin, match.end, match.secret);
  };
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view cuts = input.substr(0, data[0]);
  std::string text(input.substr(cuts.size()));
  // A byte above 127 stands for many: what is short for the fuzzer is to be long for the reader.
  std::string longer;
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    longer.append(value < 0xe0 ? 1 : (value - 0xdf) * 97, value < 0xe0 ? c : value % 2 == 0 ? ' ' : 'k');
  }

  Finder whole;
  whole.write(longer);
  const auto expected = whole.end();
  for (const auto& [id, begin, end, secret] : expected) {
    require(begin < end && end <= longer.size() && longer.substr(begin, end - begin) == secret);
  }
  for (size_t i = 1; i < expected.size(); ++i) {
    const auto& [id, begin, end, secret] = expected[i];
    const auto& [last_id, last_begin, last_end, last_secret] = expected[i - 1];
    require(id != last_id || begin >= last_end);  // no place twice
  }

  Finder cut;
  Finder checked;
  std::string_view rest = longer;
  for (size_t i = 0; !rest.empty(); ++i) {
    const size_t wanted = cuts.empty() ? 1 : static_cast<unsigned char>(cuts[i % cuts.size()]);
    const size_t piece = wanted < 0xf0 ? wanted : (wanted - 0xef) * kLargestPiece / 16;
    cut.write(rest.substr(0, std::max<size_t>(piece, i / 64)));
    checked.write(rest.substr(0, std::max<size_t>(piece, i / 64)));
    if (piece % 3 == 0) checked.check();
    rest.remove_prefix(std::min(std::max<size_t>(piece, i / 64), rest.size()));
  }
  require(cut.end() == expected);
  // What a check tells early may be more, or shorter at first; nothing is lost by it.
  const auto told = checked.end();
  for (const auto& [id, begin, end, secret] : expected) {
    const bool is_told =
        std::any_of(told.begin(), told.end(), [&, &id = id, &begin = begin, &end = end](const Found& t) {
          return std::get<0>(t) == id && std::get<1>(t) <= begin && std::get<2>(t) >= end;
        });
    require(is_told);
  }
  return 0;
}
