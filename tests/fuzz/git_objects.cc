// The first byte says what the rest is: a commit, a tag, a tree, a configuration file, or the output of git cat-file.
// Whatever is understood of it lies within it, and what is cut comes out the same.
#include <cstdlib>
#include <string>

#include "git-gate/batch_reader.h"
#include "git-gate/config_hosts.h"
#include "git-gate/objects.h"

using namespace gatehouse::git_gate;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(std::string_view whole, std::string_view part) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

std::string read_batch(std::string_view bytes, size_t piece) {
  BatchReader reader(ObjectFormat::sha1);
  std::string told;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    auto input = bytes.substr(at, piece);
    for (;;) {
      const auto event = reader.next(input);
      if (!event) return told + "!" + event.error().message();
      input.remove_prefix(event->consumed);
      if (event->kind == BatchReader::Event::Kind::need_more) break;
      if (event->kind == BatchReader::Event::Kind::begin) told += reader.head().id;
      if (event->kind == BatchReader::Event::Kind::bytes) told += event->bytes;
      if (event->kind == BatchReader::Event::Kind::end) told += "\n";
    }
    require(input.empty());
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto commit = parse_commit(bytes, ObjectFormat::sha1)) {
        for (const auto part : {commit->tree, commit->author, commit->committer, commit->headers, commit->message}) {
          require(within(bytes, part));
        }
        require(gatehouse::git::is_object_id(commit->tree, ObjectFormat::sha1));
        (void)has_trailer(commit->message, "Signed-off-by");
      }
      return 0;
    case 1:
      if (const auto tag = parse_tag(bytes, ObjectFormat::sha1)) {
        for (const auto part : {tag->object, tag->type, tag->name, tag->tagger, tag->headers, tag->message}) {
          require(within(bytes, part));
        }
      }
      return 0;
    case 2: {
      size_t length = 0;
      const auto read = read_tree(bytes, ObjectFormat::sha1, [&](const TreeEntry& entry) {
        require(within(bytes, entry.name) && within(bytes, entry.id) && entry.id.size() == 20);
        require(entry.name.find('/') == std::string_view::npos && !entry.name.empty());
        length += entry.name.size() + entry.id.size() + 2;
      });
      require(!read || length <= bytes.size());
      return 0;
    }
    case 3:
      for (const auto& [section, url] : read_configuration(bytes).urls) require(url_host(url, 2).find('/') == std::string::npos);
      return 0;
    default:
      require(read_batch(bytes, bytes.size()) == read_batch(bytes, 1 + size % 7));
      return 0;
  }
}
