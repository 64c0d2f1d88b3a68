// Where the parts of Gatehouse are that belong to the running `gatehouse`: the build it comes from, or an installation.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::launcher {

// The binary of the house of that name, beside the running one.
Result<std::string> house_binary(std::string_view name);

// The folder of the kernel and image recipes: guest/ found upwards from the running binary, or
// /usr/share/gatehouse/guest.
Result<std::string> recipes_directory();

// The program of that name on $PATH.
Result<std::string> find_program(std::string_view name);

}  // namespace gatehouse::launcher
