// What `gatehouse scan` found, in three forms: for people, as JSON lines, as SARIF 2.1.0. Pure. No form holds more of a
// secret than its prefix.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/dlp/finding.h"

namespace gatehouse::launcher {

struct FileFinding {
  std::string file;     // as given; "-" for standard input
  uint64_t line = 0;    // of finding.offset, from 1
  uint64_t column = 0;  // in bytes, from 1
  dlp::Finding finding;
};

// "src/x.py:3:12: block github-pat: GitHub personal access token (ghp_...), encoded as gzip>base64", one a line.
std::string report_text(const std::vector<FileFinding>& findings);

// One object a line, with every field there is.
std::string report_json(const std::vector<FileFinding>& findings);

// One log with one run; OASIS SARIF 2.1.0. Each rule that found something is described once.
std::string report_sarif(const std::vector<FileFinding>& findings);

// "block", "redact", "warn": the words of rule files.
std::string_view severity_word(FindingAction severity);

}  // namespace gatehouse::launcher
