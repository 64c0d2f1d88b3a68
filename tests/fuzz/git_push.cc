// The first byte is the piece size, the rest what a guest posts to git-receive-pack. However it is cut, the same head
// or the same error comes out; and what was understood is written anew and read the same.
#include <cstdlib>
#include <string>
#include <vector>

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
  if (reading.head.certificate) {
    reading.told += reading.head.certificate->words;
    require(!reading.head.commands.empty());
    require(!reading.complete || reading.head.certificate->options == reading.head.options);
  }
  return reading;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    require(end != std::string_view::npos);
    lines.emplace_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

// As git writes them: with the capabilities on the first line, or within the certificate.
void append_commands(std::string& out, const PushHead& head) {
  std::string words = " object-format=" + std::string(to_string(head.capabilities.format));
  if (head.capabilities.push_options) words += " push-options";
  std::vector<std::string> commands;
  for (const auto& command : head.commands) {
    commands.push_back(command.old_id + " " + command.new_id + " " + command.ref);
  }
  if (head.certificate) {
    append_pkt(out, std::string("push-cert") + '\0' + words);
    for (const auto& line : lines_of(head.certificate->words)) {
      append_pkt(out, line);
      if (line != "\n" || commands.empty()) continue;
      for (const auto& command : commands) append_pkt(out, command + "\n");
      commands.clear();
    }
    append_pkt(out, "push-cert-end\n");
    return;
  }
  for (size_t i = 0; i < commands.size(); ++i) append_pkt(out, i == 0 ? commands[i] + '\0' + words : commands[i]);
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
  append_commands(again, whole.head);
  append_flush(again);
  for (const auto& option : whole.head.options) append_pkt(again, option);
  if (whole.head.capabilities.push_options) append_flush(again);
  const auto second = read(again + "rest", 7);
  require(second.complete && second.told == whole.told && second.rest == "rest");
  return 0;
}
