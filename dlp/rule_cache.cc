#include "dlp/rule_cache.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <filesystem>

#include "common/base/fd.h"
#include "common/base/log.h"

namespace gatehouse::dlp {

namespace {

// Magic, key, SHA-256 of the content, content.
constexpr std::string_view kMagic = "gatehouse rule table 1\n";
constexpr size_t kDigestBytes = 32;
constexpr size_t kDigestAt = kMagic.size() + kDigestBytes;
constexpr size_t kContentAt = kDigestAt + kDigestBytes;

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, kDigestBytes> digest{};
  const int ok = EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  assert(ok == 1);
  (void)ok;
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

}  // namespace

RuleCache::RuleCache(std::string directory, const std::string& description)
    : directory_(std::move(directory)),
      key_(sha256(description)),
      path_(directory_ + "/" + hex(key_).substr(0, 32) + ".rules") {}

Result<std::string> RuleCache::read() const {
  const Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return fail_errno("open");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat");
  if (!S_ISREG(status.st_mode)) return fail("it is no regular file");
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail("others can write it");
  }
  auto text = read_all(file.get(), kMaxRuleCacheBytes);
  if (!text) return failed(text);
  const std::string_view bytes = *text;
  if (bytes.size() < kContentAt || !bytes.starts_with(kMagic)) return fail("it is no rule table");
  if (bytes.substr(kMagic.size(), kDigestBytes) != key_) return fail("it is of other rules");
  if (bytes.substr(kDigestAt, kDigestBytes) != sha256(bytes.substr(kContentAt))) return fail("it is damaged");
  text->erase(0, kContentAt);
  return text;
}

std::optional<std::string> RuleCache::load() const {
  std::error_code error;
  if (std::filesystem::symlink_status(path_, error).type() == std::filesystem::file_type::not_found) {
    return std::nullopt;
  }
  auto content = read();
  if (content) return std::move(*content);
  log::warn("rule table {} is not used: {}", path_, content.error().message());
  return std::nullopt;
}

Result<void> RuleCache::write(std::string_view content) const {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(directory_).parent_path(), error);
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir");

  std::string temporary = path_ + ".XXXXXX";
  const Fd file(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!file) return fail_errno("create {}", temporary);
  auto written = write_all(file.get(), std::string(kMagic) + key_ + sha256(content));
  if (written) written = write_all(file.get(), content);
  if (written && ::rename(temporary.c_str(), path_.c_str()) != 0) written = fail_errno("rename");
  if (!written) ::unlink(temporary.c_str());
  return written;
}

void RuleCache::store(std::string_view content) const {
  if (const auto ok = write(content); !ok) {
    log::warn("the rule table is not kept in {}, so the next start compiles it again: {}", directory_,
              ok.error().message());
  }
}

}  // namespace gatehouse::dlp
