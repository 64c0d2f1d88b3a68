// What a guest boots from: kernel, initial RAM disk and root image, made by the recipes in guest/ on first use and kept
// in the user's cache.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace gatehouse::launcher {

inline constexpr std::string_view kDefaultImage = "default";

struct BootFiles {
  std::string kernel;
  std::string initrd;
  std::string root_image;
};

// Names of the images there are recipes for, sorted.
Result<std::vector<std::string>> image_names();

// Runs the recipes, which find their work done unless something they depend on has changed. They print what they do on
// stderr. An unknown image, and a recipe that fails, are errors.
Result<BootFiles> prepare_boot_files(std::string_view image);

}  // namespace gatehouse::launcher
