#include "common/mcp/pin_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/base/file_lock.h"
#include "common/mcp/shown_name.h"

namespace gatehouse::mcp {

namespace {

constexpr std::string_view kWords[] = {"first", "waiting", "approved"};
constexpr json::Limits kEntryLimits{.bytes = 1 << 20, .depth = 66};
constexpr size_t kOriginDigits = 32;

// That a file has been made is kept by its folder.
Result<void> keep_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno("cannot write {}", folder);
  return {};
}

Result<void> check_owner(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return fail("it is no file");
  if (status.st_uid != ::geteuid()) return fail("it belongs to somebody else");
  if ((status.st_mode & 022) != 0) return fail("others may write it");
  return {};
}

}  // namespace

std::string origin_of(const policy::McpServer& server) {
  json::Value origin = {{"command", server.command}, {"cwd", server.directory}};
  if (const auto& at = server.endpoint) origin["url"] = fmt::format("https://{}:{}{}", at->host, at->port, at->path);
  const std::string text = json::write(origin);
  return sha256_hex(text).substr(0, kOriginDigits);
}

std::string to_line(const PinEntry& entry) {
  return json::write({{"what", kWords[static_cast<size_t>(entry.what)]},
                      {"server", entry.server},
                      {"origin", entry.origin},
                      {"tool", entry.tool},
                      {"pin", entry.pin},
                      {"reason", entry.reason},
                      {"by", entry.by},
                      {"time_us", entry.time_us},
                      {"definition", entry.definition}}) +
         '\n';
}

Result<PinEntry> parse_entry(std::string_view line) {
  auto value = json::read(line, kEntryLimits);
  if (!value) return failed(value);
  if (!value->is_object()) return fail("no entry of a pin file");
  PinEntry entry;
  const auto text = [&](const char* name, std::string& into) {
    const auto member = value->find(name);
    if (member == value->end() || !member->is_string()) return false;
    into = member->get<std::string>();
    return true;
  };
  std::string what;
  const bool whole = text("what", what) && text("server", entry.server) && text("origin", entry.origin) &&
                     text("tool", entry.tool) && text("pin", entry.pin) && text("reason", entry.reason) &&
                     text("by", entry.by);
  const auto time = value->find("time_us");
  const auto definition = value->find("definition");
  if (!whole || time == value->end() || !time->is_number_integer() || definition == value->end()) {
    return fail("no entry of a pin file");
  }
  entry.time_us = time->get<int64_t>();
  entry.definition = std::move(*definition);
  for (size_t i = 0; i < std::size(kWords); ++i) {
    if (kWords[i] != what) continue;
    entry.what = static_cast<PinEntry::What>(i);
    return entry;
  }
  return fail("an entry of a kind that is not known");
}

Result<PinFile> PinFile::open(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return fail_errno("cannot open {}", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("cannot look at {}", path);
  if (auto ok = check_owner(status); !ok) return failed(ok, path);
  PinFile pins(std::move(file));
  const auto lock = FileLock::take(pins.file_.get());
  if (!lock) return failed(lock, path);
  if (auto ok = pins.read_on(); !ok) return failed(ok, path);
  if (::fstat(pins.file_.get(), &status) != 0) return fail_errno("cannot look at {}", path);
  const bool torn = static_cast<size_t>(status.st_size) > pins.read_;
  if (torn && ::ftruncate(pins.file_.get(), static_cast<off_t>(pins.read_)) != 0) return fail_errno("{}", path);
  if (pins.read_ == 0) {
    if (auto ok = keep_folder_of(path); !ok) return failed(ok);
  }
  return pins;
}

Result<bool> PinFile::refresh() {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return fail_errno("the pin file");
  if (status.st_nlink == 0) return fail("the pin file was taken away");
  if (static_cast<size_t>(status.st_size) == read_) return false;
  const auto lock = FileLock::take(file_.get());
  if (!lock) return failed(lock, "the pin file");
  return read_on();
}

// What a killed writer left of a line stays unread; the next to open the file cuts it off.
Result<bool> PinFile::read_on() {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return fail_errno("the pin file");
  const auto size = static_cast<size_t>(status.st_size);
  if (size < read_) return fail("the pin file was cut");
  if (size > kMaxPinFileBytes) return fail("the pin file is larger than {} bytes", kMaxPinFileBytes);
  std::string text(size - read_, '\0');
  size_t got = 0;
  while (got < text.size()) {
    const ssize_t more = ::pread(file_.get(), text.data() + got, text.size() - got, static_cast<off_t>(read_ + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return fail_errno("the pin file");
    if (more == 0) return fail("the pin file was cut");
    got += static_cast<size_t>(more);
  }
  bool some = false;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    auto entry = parse_entry(std::string_view(text).substr(at, end - at));
    if (!entry) return failed(entry, "the pin file");
    take(std::move(*entry));
    read_ += end + 1 - at;
    some = true;
  }
  return some;
}

void PinFile::take(PinEntry entry) {
  const Key key{entry.origin, entry.tool};
  if (entry.what == PinEntry::What::waiting) {
    waiting_[key] = std::move(entry);
    return;
  }
  if (const auto at = waiting_.find(key); at != waiting_.end() && at->second.pin == entry.pin) waiting_.erase(at);
  const auto known = held_.find(key);
  entry.since_us = known == held_.end() ? entry.time_us : known->second.since_us;
  held_[key] = std::move(entry);
}

Result<void> PinFile::append(const std::vector<PinEntry>& entries) {
  const auto lock = FileLock::take(file_.get());
  if (!lock) return failed(lock, "the pin file");
  if (auto ok = read_on(); !ok) return failed(ok);
  std::string lines;
  for (const auto& entry : entries) {
    if (entry.what == PinEntry::What::first && held_.contains({entry.origin, entry.tool})) continue;
    lines += to_line(entry);
  }
  if (lines.empty()) return {};
  if (read_ + lines.size() > kMaxPinFileBytes) return fail("the pin file is full");
  // After the rest of a killed writer's line ours could not be read.
  if (::ftruncate(file_.get(), static_cast<off_t>(read_)) != 0) return fail_errno("the pin file");
  if (auto ok = write_all(file_.get(), lines); !ok) return failed(ok, "the pin file");
  if (::fdatasync(file_.get()) != 0) return fail_errno("the pin file");
  if (auto ok = read_on(); !ok) return failed(ok);
  return {};
}

const PinEntry* PinFile::held(const std::string& origin, const std::string& tool) const {
  const auto found = held_.find({origin, tool});
  return found == held_.end() ? nullptr : &found->second;
}

const PinEntry* PinFile::waiting(const std::string& origin, const std::string& tool) const {
  const auto found = waiting_.find({origin, tool});
  return found == waiting_.end() ? nullptr : &found->second;
}

std::vector<const PinEntry*> PinFile::all_held() const {
  std::vector<const PinEntry*> all;
  for (const auto& [key, entry] : held_) all.push_back(&entry);
  return all;
}

std::vector<const PinEntry*> PinFile::all_waiting() const {
  std::vector<const PinEntry*> all;
  for (const auto& [key, entry] : waiting_) all.push_back(&entry);
  return all;
}

}  // namespace gatehouse::mcp
