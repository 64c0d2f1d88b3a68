#include "launcher/images.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "launcher/installation.h"
#include "launcher/paths.h"
#include "launcher/spawn.h"

namespace gatehouse::launcher {

namespace {

constexpr std::string_view kListSuffix = ".packages";
constexpr size_t kMaxRecipeOutputBytes = 4096;

// What apt needs of the user's environment to reach the package archive. The recipes are ours; no session's process is
// given these.
std::vector<std::string> recipe_environment() {
  std::vector<std::string> entries;
  for (const char* name : {"HOME", "TMPDIR", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "APT_CONFIG"}) {
    if (const char* value = std::getenv(name)) entries.push_back(fmt::format("{}={}", name, value));
  }
  return entries;
}

// Runs one recipe and gives the one line it prints.
Result<std::string> run_recipe(const std::string& program, const std::vector<std::string>& arguments) {
  auto output = make_pipe();
  if (!output) return failed(output);
  ProcessSpec spec;
  spec.program = program;
  spec.arguments = arguments;
  spec.environment = recipe_environment();
  spec.output = output->write.get();
  spec.errors = STDERR_FILENO;
  spec.recipe = true;
  auto process = spawn(spec);
  if (!process) return failed(process);
  output->write.reset();

  auto text = read_all(output->read.get(), kMaxRecipeOutputBytes);
  output->read.reset();
  int status = 0;
  while (::waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text) return failed(text, program);
  if (status != 0) return fail("{} {}", program, describe_end(status));
  if (text->ends_with('\n')) text->pop_back();
  if (text->empty() || text->find('\n') != std::string::npos) return fail("{} does not name what it made", program);
  return *text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

Result<std::vector<std::string>> image_names() {
  const auto recipes = recipes_directory();
  if (!recipes) return failed(recipes);
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(*recipes + "/image", error)) {
    const std::string file = entry.path().filename();
    if (file.ends_with(kListSuffix)) names.push_back(file.substr(0, file.size() - kListSuffix.size()));
  }
  if (error) return fail("cannot list {}/image: {}", *recipes, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

Result<BootFiles> prepare_boot_files(std::string_view image) {
  const auto names = image_names();
  if (!names) return failed(names);
  if (std::find(names->begin(), names->end(), image) == names->end()) {
    return fail("there is no image '{}': the images are {}", image, joined(*names));
  }
  const auto recipes = recipes_directory();
  if (!recipes) return failed(recipes);
  const auto cache = cache_directory();
  if (!cache) return failed(cache);
  const auto guest = house_binary("gatehouse-guest");
  if (!guest) return failed(guest);

  auto kernel = run_recipe(*recipes + "/kernel/fetch-kernel", {*cache});
  if (!kernel) return failed(kernel, "cannot get a kernel");
  auto initrd = run_recipe(*recipes + "/initrd/build-initrd", {*cache, *kernel, *guest});
  if (!initrd) return failed(initrd, "cannot make the initial RAM disk");
  auto root = run_recipe(*recipes + "/image/build-image", {*cache, std::string(image)});
  if (!root) return failed(root, fmt::format("cannot make the image '{}'", image));
  return BootFiles{*kernel + "/vmlinuz", std::move(*initrd), std::move(*root)};
}

}  // namespace gatehouse::launcher
