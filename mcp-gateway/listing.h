// Looking through what a server says of what it has, one after the other: models read all of a definition as
// instructions.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mcp-gateway/call.h"
#include "mcp-gateway/catalogue.h"
#include "mcp-gateway/text_scan.h"

namespace gatehouse::mcp {

class Listing {
 public:
  // All on one list of that server's, each definition with a name. `own_names`: they are shown under it. `done` comes
  // once, never from within, with all of them in their order, and may destroy it; destroying it before abandons it.
  Listing(CallTools& tools, std::string server, ListKind kind, bool own_names, std::vector<Value> definitions,
          std::function<void(std::vector<Item>)> done);

 private:
  void next();
  void looked_at(const Looked& looked);
  void look_at_name();

  CallTools& tools_;
  const std::string server_;
  const ListKind kind_;
  const bool own_names_;
  std::vector<Value> definitions_;
  std::function<void(std::vector<Item>)> done_;
  size_t at_ = 0;
  dlp::StreamInfo info_;
  std::unique_ptr<TextScan> scan_;
  std::vector<Item> found_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::mcp
