// A server of tools with one, `echo`, over its standard streams: the least that one can be, to measure against.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace {

// What stands behind `"id":` in a message of ours.
std::string_view id_of(std::string_view line) {
  const size_t at = line.find("\"id\":");
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + 5);
  return line.substr(0, line.find_first_of(",}"));
}

}  // namespace

int main() {
  std::string held;
  char piece[1 << 16];
  for (ssize_t got; (got = ::read(STDIN_FILENO, piece, sizeof piece)) > 0;) {
    held.append(piece, static_cast<size_t>(got));
    std::string answers;
    size_t begin = 0;
    for (size_t end; (end = held.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const auto line = std::string_view(held).substr(begin, end - begin);
      const auto id = id_of(line);
      if (id.empty()) continue;
      std::string_view result = R"({"content":[{"type":"text","text":"echoed"}]})";
      if (line.find("\"initialize\"") != std::string_view::npos) {
        result =
            R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}})";
      } else if (line.find("\"tools/list\"") != std::string_view::npos) {
        result =
            R"({"tools":[{"name":"echo","description":"Says it again.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]})";
      }
      answers.append(R"({"jsonrpc":"2.0","id":)").append(id).append(R"(,"result":)").append(result).append("}\n");
    }
    held.erase(0, begin);
    for (std::string_view left = answers; !left.empty();) {
      const ssize_t put = ::write(STDOUT_FILENO, left.data(), left.size());
      if (put <= 0) return 1;
      left.remove_prefix(static_cast<size_t>(put));
    }
  }
  return 0;
}
