#include "common/base/result.h"

#include <system_error>

namespace gatehouse {

tl::unexpected<Error> fail_errno_message(int error_number, std::string message) {
  return fail("{}: {}", message, std::generic_category().message(error_number));
}

}  // namespace gatehouse
