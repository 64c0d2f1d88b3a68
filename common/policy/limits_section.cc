#include <algorithm>
#include <charconv>
#include <limits>

#include "common/base/log.h"
#include "common/policy/sections.h"

namespace gatehouse::policy {

namespace {

using std::chrono::milliseconds;

constexpr uint64_t kKiB = 1 << 10;
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

struct Unit {
  std::string_view name;
  uint64_t factor;
};
constexpr Unit kSizeUnits[] = {{"KiB", kKiB}, {"MiB", kMiB}, {"GiB", kGiB}};
constexpr Unit kTimeUnits[] = {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}};

using Range = SizeRange;
constexpr std::string_view kSize = "a number of bytes, or a size such as \"512KiB\", \"32MiB\" or \"1GiB\"";
constexpr Range kRequestBody{kKiB, 4 * kGiB, "1KiB to 4GiB"};
constexpr Range kDecodedBytes{64 * kKiB, 16 * kGiB, "64KiB to 16GiB"};
constexpr Range kDecodeDepth{1, 32, "1 to 32"};
constexpr Range kScanTime{10, 600'000, "10ms to 600s"};
constexpr Range kApprovalTime{1000, 86'400'000, "1s to 24h"};
constexpr Range kConnectTime{100, 120'000, "100ms to 120s"};
constexpr Range kWaitingTime{1000, 3'600'000, "1s to 1h"};
constexpr Range kCount{0, uint64_t{1} << 40, "0 to 2^40"};
constexpr Range kRate{1, 1'000'000, "1 to 1000000"};
constexpr Range kBudgetBytes{0, uint64_t{1} << 50, "0 to 1048576GiB"};
constexpr std::string_view kTime = "a time such as \"500ms\", \"10s\" or \"5min\"";

// "32MiB" in bytes, "10s" in milliseconds; a number too large for 64 bits is the largest there is.
std::optional<uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const bool too_large = error == std::errc::result_out_of_range;
  if (error != std::errc() && !too_large) return std::nullopt;
  const std::string_view name(stop, static_cast<size_t>(end - stop));
  for (const auto& unit : units) {
    if (unit.name != name) continue;
    if (too_large || number > std::numeric_limits<uint64_t>::max() / unit.factor) {
      return std::numeric_limits<uint64_t>::max();
    }
    return number * unit.factor;
  }
  return std::nullopt;
}

// The value of `key`: an integer, or a text with one of `units`.
Result<uint64_t> quantity_of(const FieldReader& reader, const JsonNode& node, std::string_view key, bool takes_integer,
                             std::span<const Unit> units, const Range& range, std::string_view form) {
  std::optional<uint64_t> value;
  if (takes_integer && node.kind == JsonNode::Kind::integer && node.integer >= 0) {
    value = static_cast<uint64_t>(node.integer);
  } else if (node.kind == JsonNode::Kind::string) {
    value = parse_quantity(node.text, units);
  }
  const bool negative = node.kind == JsonNode::Kind::integer && node.integer < 0;
  if (!value && !(takes_integer && negative)) {
    return reader.refuse(node.offset, fmt::format("'{}' must be {}", key, form));
  }
  if (!value || *value < range.least || *value > range.most) {
    return reader.refuse(node.offset, fmt::format("'{}' is out of its range of {}", key, range.words));
  }
  return *value;
}

// The same if it is there.
Result<std::optional<uint64_t>> read_quantity(const FieldReader& reader, const JsonNode& section, std::string_view key,
                                              bool takes_integer, std::span<const Unit> units, const Range& range,
                                              std::string_view form) {
  const JsonNode* node = section.find(key);
  if (node == nullptr) return std::optional<uint64_t>();
  const auto value = quantity_of(reader, *node, key, takes_integer, units, range, form);
  if (!value) return failed(value);
  return std::optional(*value);
}

template <class T>
void narrow_one(std::optional<T>& value, const std::optional<T>& other) {
  if (other && (!value || *other < *value)) value = other;
}

}  // namespace

Result<uint64_t> read_size(const FieldReader& reader, const JsonNode& node, std::string_view key,
                           const SizeRange& range) {
  return quantity_of(reader, node, key, true, kSizeUnits, range, kSize);
}

Result<milliseconds> read_waiting_time(const FieldReader& reader, const JsonNode& node, std::string_view key) {
  const auto time = quantity_of(reader, node, key, false, kTimeUnits, kWaitingTime, kTime);
  if (!time) return failed(time);
  return milliseconds(*time);
}

void SaidLimits::narrow(const SaidLimits& other) {
  narrow_one(request_body_bytes, other.request_body_bytes);
  narrow_one(decoded_bytes, other.decoded_bytes);
  narrow_one(decode_depth, other.decode_depth);
  narrow_one(scan_time, other.scan_time);
  narrow_one(approval_time, other.approval_time);
  narrow_one(connect_time, other.connect_time);
  narrow_one(first_byte_time, other.first_byte_time);
  narrow_one(idle_time, other.idle_time);
  narrow_one(handshake_time, other.handshake_time);
  narrow_one(head_time, other.head_time);
  narrow_one(request_time, other.request_time);
  narrow_one(websocket_idle_time, other.websocket_idle_time);
  session.narrow(other.session);
  host.narrow(other.host);
}

Limits SaidLimits::over(Limits defaults) const {
  const auto put = [](auto& into, const auto& said) {
    if (said) into = *said;
  };
  put(defaults.request_body_bytes, request_body_bytes);
  put(defaults.decoded_bytes, decoded_bytes);
  put(defaults.decode_depth, decode_depth);
  put(defaults.scan_time, scan_time);
  put(defaults.approval_time, approval_time);
  put(defaults.connect_time, connect_time);
  put(defaults.first_byte_time, first_byte_time);
  put(defaults.idle_time, idle_time);
  put(defaults.handshake_time, handshake_time);
  put(defaults.head_time, head_time);
  put(defaults.request_time, request_time);
  put(defaults.websocket_idle_time, websocket_idle_time);
  defaults.session.narrow(session);
  defaults.host.narrow(host);
  return defaults;
}

Result<Allowance> read_allowance(const FieldReader& reader, const JsonNode& node, std::string_view key) {
  if (auto ok = reader.expect_kind(node, JsonNode::Kind::object, key, "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(node, kAllowanceKeys); !ok) return failed(ok);
  constexpr std::string_view kNumber = "a whole number";
  Allowance allowance;
  const auto take = [&](std::string_view member, uint64_t& into, std::span<const Unit> units, const Range& range,
                        std::string_view form) -> Result<void> {
    const auto value = read_quantity(reader, node, member, true, units, range, form);
    if (!value) return failed(value);
    if (*value) into = **value;
    return {};
  };
  if (auto ok = take("requests", allowance.requests, {}, kCount, kNumber); !ok) return failed(ok);
  if (auto ok = take("bytes_out", allowance.bytes_out, kSizeUnits, kBudgetBytes, kSize); !ok) return failed(ok);
  if (auto ok = take("bytes_in", allowance.bytes_in, kSizeUnits, kBudgetBytes, kSize); !ok) return failed(ok);
  if (auto ok = take("requests_per_minute", allowance.requests_per_minute, {}, kRate, kNumber); !ok) return failed(ok);
  return allowance;
}

Result<SaidLimits> read_limits(const FieldReader& reader, const JsonNode& section) {
  if (auto ok = reader.expect_kind(section, JsonNode::Kind::object, "limits", "an object"); !ok) return failed(ok);
  if (auto ok = reader.check_keys(section, kLimitKeys); !ok) return failed(ok);
  SaidLimits limits;
  const auto body = read_quantity(reader, section, "request_body", true, kSizeUnits, kRequestBody, kSize);
  if (!body) return failed(body);
  limits.request_body_bytes = *body;
  const auto decoded = read_quantity(reader, section, "decoded_bytes", true, kSizeUnits, kDecodedBytes, kSize);
  if (!decoded) return failed(decoded);
  limits.decoded_bytes = *decoded;
  const auto depth = read_quantity(reader, section, "decode_depth", true, {}, kDecodeDepth, "a whole number");
  if (!depth) return failed(depth);
  if (*depth) limits.decode_depth = static_cast<int>(**depth);
  struct TimeKey {
    std::string_view key;
    const Range& range;
    std::optional<milliseconds>& into;
  };
  for (const auto& [key, range, into] : {TimeKey{"scan_time", kScanTime, limits.scan_time},
                                         TimeKey{"approval_time", kApprovalTime, limits.approval_time},
                                         TimeKey{"connect_time", kConnectTime, limits.connect_time},
                                         TimeKey{"first_byte_time", kWaitingTime, limits.first_byte_time},
                                         TimeKey{"idle_time", kWaitingTime, limits.idle_time},
                                         TimeKey{"handshake_time", kConnectTime, limits.handshake_time},
                                         TimeKey{"head_time", kConnectTime, limits.head_time},
                                         TimeKey{"request_time", kWaitingTime, limits.request_time},
                                         TimeKey{"websocket_idle_time", kWaitingTime, limits.websocket_idle_time}}) {
    const auto time = read_quantity(reader, section, key, false, kTimeUnits, range, kTime);
    if (!time) return failed(time);
    if (*time) into = milliseconds(**time);
  }
  for (const auto& [key, into] :
       {std::pair{std::string_view("session"), &limits.session}, std::pair{std::string_view("host"), &limits.host}}) {
    const JsonNode* node = section.find(key);
    if (node == nullptr) continue;
    const auto allowance = read_allowance(reader, *node, key);
    if (!allowance) return failed(allowance);
    *into = *allowance;
  }
  return limits;
}

}  // namespace gatehouse::policy
