#include "common/policy/text_pattern.h"

#include <hs/hs.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "common/base/log.h"

namespace gatehouse::policy {

namespace {

constexpr size_t kMaxWeight = 2'000;
constexpr size_t kWideWeight = 8;
constexpr unsigned kFlags = HS_FLAG_UTF8 | HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;

struct FreeDatabase {
  void operator()(hs_database_t* database) const { hs_free_database(database); }
};
using Database = std::unique_ptr<hs_database_t, FreeDatabase>;

Result<Database> compile_one(const std::string& text, unsigned flags) {
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile(text.c_str(), flags, HS_MODE_BLOCK, nullptr, &database, &error) == HS_SUCCESS) {
    return Database(database);
  }
  const std::string why = error != nullptr && error->message != nullptr ? error->message : "it cannot be compiled";
  hs_free_compile_error(error);
  return fail("{}", log::printable(why, 200));
}

// How large a pattern is to the compiler when its bounded repeats are written out, or larger: in characters, one that
// stands for most of Unicode counting for several. The time to compile grows with it, to minutes.
size_t weight_of(std::string_view text) {
  std::vector<size_t> groups = {0};  // of those that are open
  size_t last = 0;                   // of what a repeat would repeat
  const auto add = [&](size_t weight) {
    groups.back() += weight;
    last = weight;
  };
  for (size_t i = 0; i < text.size() && groups.back() <= kMaxWeight; ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
      add(i < text.size() && std::string_view("WDSN").find(text[i]) != std::string_view::npos ? kWideWeight : 1);
    } else if (c == '.') {
      add(kWideWeight);
    } else if (c == '[') {
      const bool negated = i + 1 < text.size() && text[i + 1] == '^';
      // A ']' that comes first, or is escaped, does not end it; to end it too soon only makes it heavier.
      i = std::min(text.find(']', i + 2), text.size() - 1);
      add(negated ? kWideWeight : 2);
    } else if (c == '(') {
      groups.push_back(0);
    } else if (c == ')' && groups.size() > 1) {
      const size_t weight = groups.back();
      groups.pop_back();
      add(weight);
    } else if (c == '{') {
      size_t most = 0;
      const char* const end = text.data() + text.size();
      for (const char* at = text.data() + i + 1; at < end; ++at) {
        size_t bound = 0;
        const auto [stop, error] = std::from_chars(at, end, bound);
        if (error == std::errc::result_out_of_range) return kMaxWeight + 1;
        most = std::max(most, bound);
        at = stop;
        if (at >= end || *at != ',') break;
      }
      if (most > kMaxWeight) return most;
      if (most > 1) {
        groups.back() += last * (most - 1);
        last *= most;
      }
    } else {
      add(1);
    }
  }
  size_t all = 0;
  for (const size_t group : groups) all += group;
  return all;
}

// Whether it names properties of Unicode, of which a few make the compiler take minutes.
bool has_property(std::string_view text) {
  for (size_t at = text.find('\\'); at != std::string_view::npos && at + 1 < text.size();
       at = text.find('\\', at + 2)) {
    if (std::string_view("pPX").find(text[at + 1]) != std::string_view::npos) return true;
  }
  return false;
}

// Of one thread, as large as the largest pattern it was used with.
struct Scratch {
  hs_scratch_t* memory = nullptr;
  ~Scratch() { hs_free_scratch(memory); }
};

}  // namespace

struct TextPattern::Compiled {
  Database told_apart;
  Database ignored;
};

Result<TextPattern> TextPattern::compile(std::string_view text) {
  if (text.size() > kMaxBytes) return fail("a regular expression of more than {} bytes", kMaxBytes);
  if (text.find('\0') != std::string_view::npos) return fail("a NUL in a regular expression");
  if (weight_of(text) > kMaxWeight) {
    return fail("a regular expression that is too large when its bounded repeats are written out");
  }
  if (has_property(text)) return fail("properties of Unicode are not to be had in a regular expression here");
  TextPattern pattern;
  pattern.text_ = text;
  // By itself first: what is none must not become one by what we put around it.
  if (auto alone = compile_one(pattern.text_, kFlags); !alone) {
    return fail("no regular expression that can be used here: {}", alone.error().message());
  }
  const std::string whole = fmt::format("^(?:{})\\z", text);
  auto told_apart = compile_one(whole, kFlags);
  auto ignored = compile_one(whole, kFlags | HS_FLAG_CASELESS);
  if (!told_apart || !ignored) {
    return fail("no regular expression that can match a whole text: {}",
                (told_apart ? ignored : told_apart).error().message());
  }
  auto compiled = std::make_shared<Compiled>();
  compiled->told_apart = std::move(*told_apart);
  compiled->ignored = std::move(*ignored);
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

std::optional<bool> TextPattern::matches(std::string_view text, Case letters) const {
  thread_local Scratch scratch;
  const hs_database_t* database = (letters == Case::ignored ? compiled_->ignored : compiled_->told_apart).get();
  if (text.size() > std::numeric_limits<unsigned>::max()) return std::nullopt;
  if (hs_alloc_scratch(database, &scratch.memory) != HS_SUCCESS) return std::nullopt;
  bool found = false;
  const auto on_match = [](unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
    *static_cast<bool*>(context) = true;
    return 0;
  };
  const char* data = text.empty() ? "" : text.data();
  const auto done = hs_scan(database, data, static_cast<unsigned>(text.size()), 0, scratch.memory, on_match, &found);
  if (done != HS_SUCCESS) return std::nullopt;
  return found;
}

}  // namespace gatehouse::policy
