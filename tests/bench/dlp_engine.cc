// The scanner's rules over raw text and over opaque bytes, beside RE2::Set and ripgrep with the same patterns on the
// same bytes. One core, CPU time. Also what a start from the cache takes, what a small request costs, and memory.
//   build/release/bench/dlp_engine [RULES_DIRECTORY]
#include <fcntl.h>
#include <fmt/format.h>
#include <re2/set.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "common/base/fd.h"
#include "dlp/rule_reader.h"

namespace {

namespace fs = std::filesystem;
using namespace gatehouse;
using namespace gatehouse::dlp;

constexpr size_t kCorpusBytes = 64 << 20;
constexpr size_t kSetBytes = 4 << 20;  // RE2::Set gets the first part only: it would take minutes
constexpr size_t kWriteBytes = 64 << 10;
constexpr size_t kMaxSourceBytes = 16 << 20;

[[noreturn]] void die(std::string_view message) {
  fmt::print(stderr, "dlp_engine: {}\n", message);
  std::exit(1);
}

double cpu_seconds(int who) {
  struct rusage usage {};
  ::getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// The least CPU time of `rounds`.
double best_of(int rounds, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const double start = cpu_seconds(RUSAGE_SELF);
    work();
    best = std::min(best, cpu_seconds(RUSAGE_SELF) - start);
  }
  return best;
}

// Bytes in shared memory: mapped here, a file for others, and no part of our anonymous memory.
class Corpus {
 public:
  explicit Corpus(const std::function<void(char*, size_t)>& fill) : file_(::memfd_create("corpus", 0)) {
    if (!file_ || ::ftruncate(file_.get(), kCorpusBytes) != 0) die("no shared memory");
    void* at = ::mmap(nullptr, kCorpusBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (at == MAP_FAILED) die("no shared memory");
    fill(static_cast<char*>(at), kCorpusBytes);
    bytes_ = {static_cast<const char*>(at), kCorpusBytes};
  }
  std::string_view bytes() const { return bytes_; }
  std::string path() const { return fmt::format("/proc/self/fd/{}", file_.get()); }

 private:
  Fd file_;
  std::string_view bytes_;
};

// The sources of the checkout that holds the rules, over and over.
std::string source_text(const fs::path& checkout) {
  const std::set<std::string> kinds = {".cc", ".h", ".py", ".md", ".txt", ".cmake"};
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(checkout); entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string name = entry->path().filename();
    if (entry->is_directory() && (name == "build" || name.starts_with('.'))) entry.disable_recursion_pending();
    if (entry->is_regular_file() && kinds.count(entry->path().extension()) != 0) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const auto& file : files) {
    if (const auto content = read_file(file, kMaxSourceBytes)) text += *content;
  }
  return text;
}

void fill_with(const std::string& text, char* at, size_t size) {
  for (size_t done = 0; done < size; done += text.size()) {
    text.copy(at + done, std::min(text.size(), size - done));
  }
}

void fill_randomly(char* at, size_t size) {
  std::mt19937_64 random(1);
  for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), sizeof word, at + done);
  }
}

// Anonymous memory and mapped files, not the shared memory of the corpora, in MiB.
double resident() {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:") || line.starts_with("RssFile:")) kib += std::stod(line.substr(8));
  }
  return kib / 1024;
}

struct Measured {
  double gigabytes = 0;  // a second
  std::string note;
};

Measured measure_ours(RuleWorkspace& workspace, std::string_view bytes) {
  RuleReader reader(workspace);
  uint64_t matches = 0;
  const OnMatch count = [&matches](const Match&) { ++matches; };
  const auto pass = [&] {
    matches = 0;
    for (size_t at = 0; at < bytes.size(); at += kWriteBytes) reader.write(bytes.substr(at, kWriteBytes), count);
    reader.end(count);
  };
  const double seconds = best_of(3, pass);
  return {static_cast<double>(bytes.size()) / seconds / 1e9, fmt::format("{} matches", matches)};
}

Measured measure_set(const std::vector<Rule>& rules, std::string_view bytes) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_max_mem(int64_t{1} << 30);
  RE2::Set set(options, RE2::UNANCHORED);
  for (const auto& rule : rules) set.Add(rule.pattern, nullptr);
  if (!set.Compile()) return {0, "does not compile in 1 GiB"};
  bytes = bytes.substr(0, kSetBytes);
  size_t found = 0;
  bool exhausted = false;
  const double seconds = best_of(1, [&] {
    for (size_t at = 0; at < bytes.size(); at += kWriteBytes) {
      std::vector<int> matched;
      RE2::Set::ErrorInfo error{};
      set.Match(re2::StringPiece(bytes.data() + at, std::min(kWriteBytes, bytes.size() - at)), &matched, &error);
      exhausted = exhausted || error.kind == RE2::Set::kOutOfMemory;
      found += matched.size();
    }
  });
  return {static_cast<double>(bytes.size()) / seconds / 1e9,
          fmt::format("{} (block, rule) pairs{}", found, exhausted ? "; ran out of memory" : "")};
}

// As ripgrep writes it: it refuses a backslash before punctuation that has no meaning of its own.
std::string for_ripgrep(std::string_view pattern) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (std::string_view("\"'/@:,;<>=%!`_ ").find(next) == std::string_view::npos) text += '\\';
      text += next;
    } else {
      text += pattern[i];
    }
  }
  return text;
}

// ripgrep on the same bytes in a file in memory, one thread.
Measured measure_ripgrep(const std::vector<Rule>& rules, const Corpus& corpus) {
  if (std::system("command -v rg >/dev/null") != 0) return {0, "rg is not installed"};
  std::string patterns = fs::temp_directory_path() / "dlp_engine.XXXXXX";
  const Fd file(::mkstemp(patterns.data()));
  std::string text;
  for (const auto& rule : rules) text += for_ripgrep(rule.pattern) + "\n";
  if (!file || !write_all(file.get(), text)) die("no temporary file");
  const std::string command = fmt::format(
      "rg -j1 -c --include-zero --text --no-unicode --no-mmap --dfa-size-limit 1G --regex-size-limit 1G -f {} {} 2>&1 "
      "| tail -1",
      patterns, corpus.path().replace(6, 4, std::to_string(::getpid())));
  const double start = cpu_seconds(RUSAGE_CHILDREN);
  FILE* pipe = ::popen(command.c_str(), "r");
  char answer[200] = "";
  if (pipe == nullptr || std::fgets(answer, sizeof answer, pipe) == nullptr) answer[0] = '\0';
  if (pipe != nullptr) ::pclose(pipe);
  const double seconds = cpu_seconds(RUSAGE_CHILDREN) - start;
  ::unlink(patterns.c_str());
  const std::string note = std::string(answer).substr(0, std::string(answer).find('\n'));
  if (note.empty() || note.find_first_not_of("0123456789") != std::string::npos) return {0, "rg: " + note};
  return {static_cast<double>(corpus.bytes().size()) / seconds / 1e9, note + " lines"};
}

void print(std::string_view who, std::string_view what, const Measured& measured) {
  const std::string speed = measured.gigabytes == 0 ? "-" : fmt::format("{:.3f} GB/s", measured.gigabytes);
  fmt::print("{:<12} {:<14} {:>12}   {}\n", who, what, speed, measured.note);
  std::fflush(stdout);
}

void print_small(RuleWorkspace& workspace, std::string_view text) {
  constexpr int kRounds = 100000;
  const OnMatch ignore = [](const Match&) {};
  for (const size_t size : {64u, 2048u, 16384u}) {
    const std::string_view request = text.substr(kWriteBytes, size);
    const double seconds = best_of(3, [&] {
      for (int i = 0; i < kRounds; ++i) {
        RuleReader reader(workspace);
        reader.write(request, ignore);
        reader.end(ignore);
      }
    });
    fmt::print("{:<12} {:<14} {:>9.2f} us\n", "gatehouse", fmt::format("{} bytes", size), seconds / kRounds * 1e6);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto directory = argc > 1 ? Result<std::string>(argv[1]) : rules_directory();
  if (!directory) die(directory.error().message());
  std::string cache = fs::temp_directory_path() / "dlp_engine_cacheXXXXXX";
  if (::mkdtemp(cache.data()) == nullptr) die("no temporary directory");

  const double before = resident();
  std::vector<Rule> rules;
  RuleTables tables;
  const auto load = [&] {
    auto loaded = load_rules(*directory, cache);
    if (!loaded) die(loaded.error().message());
    rules = std::move(*loaded);
    auto built = RuleTables::build(rules, cache);
    if (!built) die(built.error().message());
    tables = std::move(*built);
  };
  const double cold = milliseconds(load);
  double warm = 1e9;
  for (int i = 0; i < 5; ++i) warm = std::min(warm, milliseconds(load));
  fs::remove_all(cache);
  fmt::print("{} rules: compiled in {:.0f} ms, from cache in {:.1f} ms\n", rules.size(), cold, warm);

  const std::string source = source_text(fs::path(rules_directory().value_or(*directory)).parent_path().parent_path());
  if (source.size() < kWriteBytes) die("no sources beside the rules");
  const Corpus text([&source](char* at, size_t size) { fill_with(source, at, size); });
  const Corpus opaque(fill_randomly);
  auto workspace = RuleWorkspace::create(tables.out);
  if (!workspace) die(workspace.error().message());

  print("gatehouse", "source text", measure_ours(**workspace, text.bytes()));
  print("gatehouse", "random bytes", measure_ours(**workspace, opaque.bytes()));
  print_small(**workspace, text.bytes());
  fmt::print("{:<12} {:<14} {:>9.1f} MiB, {:.1f} MiB before the rules\n", "gatehouse", "resident", resident(), before);

  const std::vector<Rule>& same = tables.out->rules();
  print("RE2::Set", "source text", measure_set(same, text.bytes()));
  print("RE2::Set", "random bytes", measure_set(same, opaque.bytes()));
  print("ripgrep", "source text", measure_ripgrep(same, text));
  print("ripgrep", "random bytes", measure_ripgrep(same, opaque));
}
