// Files looked through with the scanner's own engine. What a file holds is scanned as a body is: decoded, unpacked,
// whatever its name says it is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dlp/session.h"
#include "launcher/scan_report.h"

namespace gatehouse::launcher {

inline constexpr const char* kStandardInput = "-";

struct FileToScan {
  std::string path;
  uint64_t bytes = 0;  // as listed; 0 for standard input
};

struct FileList {
  std::vector<FileToScan> files;
  std::vector<Error> unreadable;  // folders, and paths that do not exist
};

// The regular files that `paths` name, those below a folder in the order of their names. Links below a folder are not
// followed and special files passed over. "-" is standard input.
FileList list_files(const std::vector<std::string>& paths);

// What is found in one file; an error when it cannot be read to its end. `progress` is called with the bytes read since
// its last call.
Result<std::vector<FileFinding>> scan_file(const FileToScan& file, const dlp::OpenScan& open_scan,
                                           const std::function<void(uint64_t)>& progress);

}  // namespace gatehouse::launcher
