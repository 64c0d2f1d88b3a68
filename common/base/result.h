// Errors as values. assert is for our own bugs, Result for the world's.
#pragma once

#include <fmt/core.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace gatehouse {

// A failure in words a person can act on. It gains context on its way up.
class Error {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}

  const std::string& message() const { return message_; }

  // Puts `context` in front: Error("bad port").in("rules[3]") reads "rules[3]: bad port".
  Error in(std::string_view context) const { return Error(fmt::format("{}: {}", context, message_)); }

 private:
  std::string message_;
};

template <class T = void>
using Result = tl::expected<T, Error>;

// The failed Result with this message.
template <class... Args>
tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected(Error(fmt::format(format, std::forward<Args>(args)...)));
}

// As fail(), followed by the words for errno as it stands at the call: "open /x: Permission denied".
tl::unexpected<Error> fail_errno_message(int error_number, std::string message);
template <class... Args>
tl::unexpected<Error> fail_errno(fmt::format_string<Args...> format, Args&&... args) {
  const int error_number = errno;
  return fail_errno_message(error_number, fmt::format(format, std::forward<Args>(args)...));
}

// Hands a failed result's error on to the caller's caller, with or without more context.
template <class T>
tl::unexpected<Error> failed(const Result<T>& result) {
  return tl::unexpected(result.error());
}
template <class T>
tl::unexpected<Error> failed(const Result<T>& result, std::string_view context) {
  return tl::unexpected(result.error().in(context));
}

}  // namespace gatehouse
