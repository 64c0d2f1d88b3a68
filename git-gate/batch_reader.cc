#include "git-gate/batch_reader.h"

#include <charconv>

namespace gatehouse::git_gate {

namespace {
constexpr size_t kMaxLineBytes = 128;
}  // namespace

Result<BatchReader::Event> BatchReader::next(std::string_view input) {
  if (stage_ == Stage::content && left_ == 0) stage_ = Stage::line_feed;
  if (input.empty()) return Event{};
  switch (stage_) {
    case Stage::head: {
      const size_t end = input.find('\n');
      const auto piece = input.substr(0, end);
      if (line_.size() + piece.size() > kMaxLineBytes) return fail("git cat-file: a line that is too long");
      line_ += piece;
      if (end == std::string_view::npos) return Event{Event::Kind::need_more, input.size()};
      if (auto ok = read_head(); !ok) return failed(ok);
      return Event{Event::Kind::begin, end + 1};
    }
    case Stage::content: {
      const auto piece = input.substr(0, std::min<uint64_t>(left_, input.size()));
      left_ -= piece.size();
      return Event{Event::Kind::bytes, piece.size(), piece};
    }
    case Stage::line_feed:
      if (input.front() != '\n') return fail("git cat-file: an object without an end");
      stage_ = Stage::head;
      return Event{Event::Kind::end, 1};
  }
  return Event{};
}

Result<void> BatchReader::read_head() {
  const std::string line = std::exchange(line_, {});
  const size_t length = git::hex_length(format_);
  const size_t space = line.find(' ', length + 1);
  if (line.size() <= length || line[length] != ' ' || space == std::string::npos ||
      !git::is_object_id(std::string_view(line).substr(0, length), format_)) {
    return fail("git cat-file: a line that is none");
  }
  const auto type = parse_object_type(std::string_view(line).substr(length + 1, space - length - 1));
  if (!type) return failed(type, "git cat-file");
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + space + 1, end, head_.size);
  if (error != std::errc() || stop != end) return fail("git cat-file: a size that is none");
  head_.id = line.substr(0, length);
  head_.type = *type;
  left_ = head_.size;
  stage_ = Stage::content;
  return {};
}

}  // namespace gatehouse::git_gate
