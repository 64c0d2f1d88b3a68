#include "launcher/installation.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace gatehouse::launcher {

namespace {

constexpr char kInstalledRecipes[] = "/usr/share/gatehouse/guest";

Result<std::filesystem::path> own_directory() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail("cannot find the running binary: {}", error.message());
  return self.parent_path();
}

bool holds_recipes(const std::filesystem::path& directory) {
  return ::access((directory / "image/build-image").c_str(), X_OK) == 0;
}

}  // namespace

Result<std::string> house_binary(std::string_view name) {
  const auto directory = own_directory();
  if (!directory) return failed(directory);
  std::string path = *directory / name;
  if (::access(path.c_str(), X_OK) != 0) return fail_errno("{}: cannot be run; build it with scripts/build", path);
  return path;
}

Result<std::string> recipes_directory() {
  const auto directory = own_directory();
  if (!directory) return failed(directory);
  for (auto above = *directory; above.has_relative_path(); above = above.parent_path()) {
    if (holds_recipes(above / "guest")) return (above / "guest").string();
  }
  if (holds_recipes(kInstalledRecipes)) return std::string(kInstalledRecipes);
  return fail("no image recipes: neither guest/ above {} nor {}", directory->string(), kInstalledRecipes);
}

Result<std::string> find_program(std::string_view name) {
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    const std::string path = fmt::format("{}/{}", rest.substr(0, colon), name);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
    if (path.front() == '/' && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return fail("{} is not installed: run scripts/setup", name);
}

}  // namespace gatehouse::launcher
