// The first byte is the piece size, the rest what a guest posts to git-receive-pack. However it is cut, the same head
// or the same error comes out; and what was understood is written anew and read the same.
#include <cstdlib>
#include <string>

#include "common/git/push_request.h"

using namespace gatehouse::git;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reading {
  std::string told;  // the head as one text, or the error
  std::string rest;
  PushHead head;
  bool complete = false;
};

Reading read(std::string_view bytes, size_t piece) {
  PushReader reader;
  Reading reading;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const auto done = reader.feed(bytes.substr(at, piece));
    if (!done) {
      reading.told = done.error().message();
      return reading;
    }
    if (!*done) continue;
    reading.rest = reader.rest();
    if (at + piece < bytes.size()) reading.rest += bytes.substr(at + piece);
    reading.complete = true;
    break;
  }
  reading.head = reader.head();
  for (const auto& command : reading.head.commands) {
    require(is_ref_name(command.ref));
    require(is_object_id(command.old_id, reading.head.capabilities.format));
    reading.told += command.old_id + command.new_id + command.ref + "\n";
  }
  for (const auto& option : reading.head.options) reading.told += option + "\n";
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read(bytes, bytes.size());
  const auto cut = read(bytes, 1 + data[0] % 64);
  require(whole.told == cut.told && whole.rest == cut.rest && whole.complete == cut.complete);
  if (!whole.complete) return 0;
  std::string again;
  for (const auto& shallow : whole.head.shallow) append_pkt(again, "shallow " + shallow);
  bool first = true;
  for (const auto& command : whole.head.commands) {
    std::string line = command.old_id + " " + command.new_id + " " + command.ref;
    if (first) {
      line += '\0';
      line += " object-format=" + std::string(to_string(whole.head.capabilities.format));
      if (whole.head.capabilities.push_options) line += " push-options";
    }
    first = false;
    append_pkt(again, line);
  }
  append_flush(again);
  for (const auto& option : whole.head.options) append_pkt(again, option);
  if (whole.head.capabilities.push_options) append_flush(again);
  const auto second = read(again + "rest", 7);
  require(second.complete && second.told == whole.told && second.rest == "rest");
  return 0;
}
