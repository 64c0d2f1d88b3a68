#include "common/ipc/agent_protocol.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <limits>
#include <set>

#include "common/base/log.h"

namespace gatehouse::ipc {

namespace {

using nlohmann::json;

constexpr int kMaxDepth = 4;                                // the deepest payload is {"env":[["NAME","value"]]}
constexpr int64_t kLatestTimeUs = 253'402'300'799'000'000;  // the end of the year 9999
constexpr int kHighestSignal = 64;
constexpr int kHighestExitCode = 255;

// Arguments, variables and paths are bytes, not text, and JSON carries text only. Each byte travels as the code point
// of the same number, which loses nothing whatever the bytes are.
std::string text_of_bytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

// The opposite; `text` is valid UTF-8 (the JSON parser has seen to that).
Result<std::string> bytes_of_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first == 0) return fail("has a NUL byte");
    if (first < 0x80) {
      bytes += text[i];
    } else if (first <= 0xc3) {
      bytes += static_cast<char>((first & 0x03) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    } else {
      return fail("has a character above U+00FF");
    }
  }
  return bytes;
}

// A payload's object, whose keys are taken one by one; what is left over at finish() is unknown.
class Fields {
 public:
  static Result<Fields> parse(std::string_view payload) {
    bool too_deep = false;
    std::string duplicate;
    std::set<std::string> keys;
    const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
      if (depth >= kMaxDepth) too_deep = true;
      // Nested objects do not occur, so depth 1 is every key there is.
      if (event == json::parse_event_t::key && !keys.insert(parsed.get<std::string>()).second) {
        duplicate = parsed.get<std::string>();
      }
      return !too_deep;
    };
    json object = json::parse(payload.begin(), payload.end(), watch, /*allow_exceptions=*/false);
    if (too_deep) return fail("nested too deeply");
    if (object.is_discarded()) return fail("not JSON");
    if (!object.is_object()) return fail("not a JSON object");
    if (!duplicate.empty()) return fail("key \"{}\" twice", log::printable(duplicate));
    return Fields(std::move(object));
  }

  bool has(const char* key) const { return object_.contains(key); }

  Result<json> take(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end()) return fail("{}: missing", key);
    json value = std::move(*found);
    object_.erase(found);
    return value;
  }

  Result<std::string> text(const char* key) {
    auto value = take(key);
    if (!value) return failed(value);
    if (!value->is_string()) return fail("{}: not a string", key);
    return value->get<std::string>();
  }

  Result<int64_t> number(const char* key, int64_t least, int64_t most) {
    auto value = take(key);
    if (!value) return failed(value);
    if (!value->is_number_integer()) return fail("{}: not a whole number", key);
    const bool above = value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(most);
    if (above || value->get<int64_t>() < least || value->get<int64_t>() > most) {
      return fail("{}: not between {} and {}", key, least, most);
    }
    return value->get<int64_t>();
  }

  Result<void> finish() const {
    if (!object_.empty()) return fail("unknown key \"{}\"", log::printable(object_.begin().key()));
    return {};
  }

 private:
  explicit Fields(json object) : object_(std::move(object)) {}
  json object_;
};

std::string write(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace); }

Result<std::string> byte_string(const json& value, std::string_view where) {
  if (!value.is_string()) return fail("{}: not a string", where);
  auto bytes = bytes_of_text(value.get_ref<const std::string&>());
  if (!bytes) return failed(bytes, where);
  return bytes;
}

Result<std::vector<std::string>> read_arguments(const json& list) {
  if (!list.is_array() || list.empty()) return fail("argv: not a list of at least one string");
  std::vector<std::string> argv;
  for (const json& item : list) {
    auto argument = byte_string(item, fmt::format("argv[{}]", argv.size()));
    if (!argument) return failed(argument);
    argv.push_back(std::move(*argument));
  }
  return argv;
}

Result<std::vector<std::pair<std::string, std::string>>> read_environment(const json& list) {
  if (!list.is_array()) return fail("env: not a list");
  std::vector<std::pair<std::string, std::string>> env;
  for (const json& item : list) {
    const std::string where = fmt::format("env[{}]", env.size());
    if (!item.is_array() || item.size() != 2) return fail("{}: not a name and a value", where);
    auto name = byte_string(item[0], where);
    if (!name) return failed(name);
    auto value = byte_string(item[1], where);
    if (!value) return failed(value);
    if (name->empty() || name->find('=') != std::string::npos) {
      return fail("{}: \"{}\" is not a variable's name", where, log::printable(*name));
    }
    env.emplace_back(std::move(*name), std::move(*value));
  }
  return env;
}

Result<std::vector<BootFile>> read_files(const json& list) {
  if (!list.is_array()) return fail("files: not a list");
  std::vector<BootFile> files;
  for (const json& item : list) {
    const std::string where = fmt::format("files[{}]", files.size());
    if (!item.is_array() || item.size() != 2) return fail("{}: not a path and a content", where);
    auto path = byte_string(item[0], where);
    if (!path) return failed(path);
    auto content = byte_string(item[1], where);
    if (!content) return failed(content);
    if (!path->starts_with('/') || std::filesystem::path(*path).lexically_normal().string() != *path || path->ends_with('/')) {
      return fail("{}: \"{}\" is no plain absolute path", where, log::printable(*path));
    }
    files.push_back({std::move(*path), std::move(*content)});
  }
  return files;
}

json terminal_json(const TerminalSize& size) { return {{"rows", size.rows}, {"columns", size.columns}}; }

// Reads a payload of one number.
Result<int> read_number(std::string_view payload, const char* key, int least, int most) {
  auto fields = Fields::parse(payload);
  if (!fields) return failed(fields);
  const auto number = fields->number(key, least, most);
  if (!number) return failed(number);
  if (auto ok = fields->finish(); !ok) return failed(ok);
  return static_cast<int>(*number);
}

Result<TerminalSize> read_terminal_size(Fields& fields) {
  constexpr int kMost = std::numeric_limits<uint16_t>::max();
  const auto rows = fields.number("rows", 0, kMost);
  if (!rows) return failed(rows);
  const auto columns = fields.number("columns", 0, kMost);
  if (!columns) return failed(columns);
  return TerminalSize{static_cast<uint16_t>(*rows), static_cast<uint16_t>(*columns)};
}

}  // namespace

std::string encode_hello() { return write({{"version", kAgentProtocolVersion}}); }

Result<void> decode_hello(std::string_view payload) {
  const auto version = read_number(payload, "version", 0, std::numeric_limits<int>::max());
  if (!version) return failed(version, "hello");
  if (*version != kAgentProtocolVersion) {
    return fail("hello: the other side speaks version {}, this one {}", *version, kAgentProtocolVersion);
  }
  return {};
}

std::string encode(const Boot& boot) {
  json files = json::array();
  for (const auto& [path, content] : boot.files) {
    files.push_back(json::array({text_of_bytes(path), text_of_bytes(content)}));
  }
  return write({{"hostname", boot.hostname},
                {"ca_certificate", boot.ca_certificate},
                {"time_us", boot.time_us},
                {"files", std::move(files)}});
}

Result<Boot> decode_boot(std::string_view payload) {
  auto fields = Fields::parse(payload);
  if (!fields) return failed(fields, "boot");
  auto hostname = fields->text("hostname");
  if (!hostname) return failed(hostname, "boot");
  auto certificate = fields->text("ca_certificate");
  if (!certificate) return failed(certificate, "boot");
  const auto time_us = fields->number("time_us", 0, kLatestTimeUs);
  if (!time_us) return failed(time_us, "boot");
  const auto file_list = fields->take("files");
  if (!file_list) return failed(file_list, "boot");
  auto files = read_files(*file_list);
  if (!files) return failed(files, "boot");
  if (auto ok = fields->finish(); !ok) return failed(ok, "boot");
  return Boot{std::move(*hostname), std::move(*certificate), *time_us, std::move(*files)};
}

// The terminal's numbers stand beside the rest ("rows", "columns"), both or neither.
std::string encode(const Exec& exec) {
  json argv = json::array();
  for (const std::string& argument : exec.argv) argv.push_back(text_of_bytes(argument));
  json env = json::array();
  for (const auto& [name, value] : exec.env) env.push_back(json::array({text_of_bytes(name), text_of_bytes(value)}));
  json object = exec.terminal ? terminal_json(*exec.terminal) : json::object();
  object["argv"] = std::move(argv);
  object["env"] = std::move(env);
  object["directory"] = text_of_bytes(exec.directory);
  return write(object);
}

Result<Exec> decode_exec(std::string_view payload) {
  auto fields = Fields::parse(payload);
  if (!fields) return failed(fields, "exec");
  const auto argv_list = fields->take("argv");
  if (!argv_list) return failed(argv_list, "exec");
  auto argv = read_arguments(*argv_list);
  if (!argv) return failed(argv, "exec");
  const auto env_list = fields->take("env");
  if (!env_list) return failed(env_list, "exec");
  auto env = read_environment(*env_list);
  if (!env) return failed(env, "exec");
  const auto directory_text = fields->take("directory");
  if (!directory_text) return failed(directory_text, "exec");
  auto directory = byte_string(*directory_text, "directory");
  if (!directory) return failed(directory, "exec");
  Exec exec{std::move(*argv), std::move(*env), std::move(*directory), std::nullopt};
  if (fields->has("rows") || fields->has("columns")) {
    const auto size = read_terminal_size(*fields);
    if (!size) return failed(size, "exec");
    exec.terminal = *size;
  }
  if (auto ok = fields->finish(); !ok) return failed(ok, "exec");
  return exec;
}

std::string encode(const TerminalSize& size) { return write(terminal_json(size)); }

Result<TerminalSize> decode_terminal_size(std::string_view payload) {
  auto fields = Fields::parse(payload);
  if (!fields) return failed(fields, "resize");
  const auto size = read_terminal_size(*fields);
  if (!size) return failed(size, "resize");
  if (auto ok = fields->finish(); !ok) return failed(ok, "resize");
  return size;
}

std::string encode_signal(int number) { return write({{"number", number}}); }

Result<int> decode_signal(std::string_view payload) {
  const auto number = read_number(payload, "number", 1, kHighestSignal);
  if (!number) return failed(number, "signal");
  return number;
}

std::string encode(const Exit& exit) {
  json object{{"code", exit.code}};
  if (!exit.message.empty()) object["message"] = exit.message;
  return write(object);
}

Result<Exit> decode_exit(std::string_view payload) {
  auto fields = Fields::parse(payload);
  if (!fields) return failed(fields, "exit");
  const auto code = fields->number("code", 0, kHighestExitCode);
  if (!code) return failed(code, "exit");
  Exit exit{static_cast<int>(*code), ""};
  if (fields->has("message")) {
    auto message = fields->text("message");
    if (!message) return failed(message, "exit");
    exit.message = std::move(*message);
  }
  if (auto ok = fields->finish(); !ok) return failed(ok, "exit");
  return exit;
}

}  // namespace gatehouse::ipc
