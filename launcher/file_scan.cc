#include "launcher/file_scan.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/fd.h"
#include "launcher/line_index.h"

namespace gatehouse::launcher {

namespace {

namespace fs = std::filesystem;

constexpr size_t kReadBytes = 256 * 1024;

void list_folder(const fs::path& folder, FileList& list) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    entries.push_back(*entry);
  }
  if (error) list.unreadable.push_back(Error(fmt::format("{}: {}", folder.string(), error.message())));
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    const auto type = entry.symlink_status(error).type();
    if (error) list.unreadable.push_back(Error(fmt::format("{}: {}", entry.path().string(), error.message())));
    if (type == fs::file_type::directory) list_folder(entry.path(), list);
    if (type == fs::file_type::regular) list.files.push_back({entry.path().string(), entry.file_size(error)});
  }
}

Result<Fd> open_file(const std::string& path) {
  const bool standard_input = path == kStandardInput;
  Fd file(standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("{}", path);
  return file;
}

}  // namespace

FileList list_files(const std::vector<std::string>& paths) {
  FileList list;
  for (const auto& path : paths) {
    if (path == kStandardInput) {
      list.files.push_back({path, 0});
      continue;
    }
    std::error_code error;
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) {
      list.unreadable.push_back(Error(fmt::format("{}: {}", path, error ? error.message() : "no such file")));
    } else if (fs::is_directory(status)) {
      list_folder(path, list);
    } else {
      list.files.push_back({path, fs::is_regular_file(status) ? fs::file_size(path, error) : 0});
    }
  }
  return list;
}

Result<std::vector<FileFinding>> scan_file(const FileToScan& file, const dlp::OpenScan& open_scan,
                                           const std::function<void(uint64_t)>& progress) {
  const auto input = open_file(file.path);
  if (!input) return failed(input);
  const dlp::StreamInfo stream{.channel = "file", .direction = dlp::Direction::out, .host = "", .trace_id = ""};
  const auto scan = open_scan(stream);
  scan->part({.location = "body", .content_type = "", .content_encoding = ""});
  LineIndex lines;
  std::string buffer(kReadBytes, '\0');
  for (;;) {
    const ssize_t got = ::read(input->get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("{}", file.path);
    if (got == 0) break;
    const std::string_view bytes(buffer.data(), static_cast<size_t>(got));
    lines.add(bytes);
    scan->write(bytes);
    progress(bytes.size());
  }
  scan->finish();
  std::vector<FileFinding> findings;
  for (auto& finding : scan->take_findings()) {
    const auto place = lines.at(finding.offset);
    findings.push_back({file.path, place.line, place.column, std::move(finding)});
  }
  std::sort(findings.begin(), findings.end(),
            [](const auto& a, const auto& b) { return a.finding.offset < b.finding.offset; });
  return findings;
}

}  // namespace gatehouse::launcher
