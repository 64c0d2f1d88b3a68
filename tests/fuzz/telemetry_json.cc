// The first byte chooses the piece size, the rest is JSON or not. Cut anywhere it reads the same, and what another
// parser takes is taken, with the same strings in it.
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "proxy/telemetry/json_reader.h"

using namespace gatehouse::proxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Everything looked into and taken; or, of containers at paths of a certain length, their text.
struct Recorder : JsonListener {
  explicit Recorder(size_t whole_at) : whole(whole_at) {}
  Interest begin(std::string_view path, JsonKind kind) override {
    const bool container = kind == JsonKind::object || kind == JsonKind::array;
    if (container && path.size() != whole) return {Wish::look, 0};
    text.append(path).append("=");
    return {Wish::whole, static_cast<int>(kind) + 1};
  }
  void bytes(int field, std::string_view piece) override {
    require(field > 0);
    text += piece;
    if (field == static_cast<int>(JsonKind::string) + 1) strings += piece;
  }
  void end(int) override { text += '\n'; }
  size_t whole;
  std::string text;
  std::string strings;
};

bool read(std::string_view text, size_t piece, Recorder& recorder) {
  JsonReader reader(recorder);
  for (size_t at = 0; at < text.size(); at += piece) reader.feed(text.substr(at, piece));
  return reader.finish();
}

void gather(const nlohmann::ordered_json& value, std::string& strings) {
  if (value.is_string()) strings += value.get<std::string>();
  for (const auto& member : value) {
    if (value.is_structured()) gather(member, strings);
  }
}

bool comparable(std::string_view text) {
  size_t number = 0;
  for (const char c : text) {
    number = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' ? number + 1 : 0;
    if (number > kMaxJsonNumberBytes || c == '\0') return false;
  }
  return !text.starts_with("\xef") && text.find("\\u") == std::string_view::npos &&
         static_cast<size_t>(std::count(text.begin(), text.end(), '{') + std::count(text.begin(), text.end(), '[')) <=
             16 &&
         text.size() < kMaxJsonPathBytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const size_t whole : {SIZE_MAX, size_t{1}}) {
    Recorder at_once(whole);
    Recorder cut(whole);
    const bool taken = read(text, text.size(), at_once);
    require(read(text, 1 + data[0] % 32, cut) == taken);
    require(at_once.text == cut.text);
    if (whole != SIZE_MAX || !comparable(text)) continue;
    const auto other = nlohmann::ordered_json::parse(text, nullptr, false);
    if (other.is_discarded()) continue;
    require(taken);
    std::string strings;
    gather(other, strings);
    // Of a member that is there twice the other parser keeps one.
    require(at_once.strings == strings || at_once.strings.size() > strings.size());
  }
  return 0;
}
