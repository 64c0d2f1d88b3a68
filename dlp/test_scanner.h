// The scanner with all its rules and one known secret, for tests.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "dlp/scanner.h"

namespace gatehouse::dlp {

inline constexpr char kKnown[] = "a1b2c3d4e5f6g7h8i9j0";
inline const std::string kToken = "ghp_" + std::string(36, 'A');

// What it takes to scan, made before the process is confined.
struct Loaded {
  explicit Loaded(size_t threads = 1) {
    Fd secrets(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    (void)write_all(secrets.get(), fmt::format(R"({{"secrets":[{{"name":"KNOWN","value":"{}"}}]}})", kKnown));
    scanner = std::move(*Scanner::load({"", path_, ""}, policy));
    scans = std::move(*scanner->open_scans(threads));
  }
  ~Loaded() { ::unlink(path_.c_str()); }

  // The rules of what is found in this body.
  std::string scan(const std::string& body, const std::string& encoding = {}) const {
    const StreamInfo stream{"https", Direction::out, "api.example.com", "trace"};
    const auto scan = scans.front()(stream);
    scan->part({"body", "", encoding});
    scan->write(body);
    scan->finish();
    std::string rules;
    for (const Finding& finding : scan->take_findings()) rules += finding.rule + " " + finding.path + ";";
    return rules;
  }

  policy::Policy policy = std::move(*policy::Policy::parse(
      {{"policy.json", R"({"version":1,"http":[{"id":"all","action":"allow","hosts":["*.example.com"]}]})", false}}));
  std::unique_ptr<Scanner> scanner;
  std::vector<OpenScan> scans;

 private:
  const std::string path_ = fmt::format("{}/secrets.{}", ::testing::TempDir(), ::getpid());
};

}  // namespace gatehouse::dlp
