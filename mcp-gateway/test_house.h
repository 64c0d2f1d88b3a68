// A gateway without processes and sockets, for tests: servers speak by transcript, the scanner and the disk as told.
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/uuid.h"
#include "mcp-gateway/gateway.h"
#include "proxy/scripted_scanner.h"

namespace gatehouse::mcp {

class HouseTest : public testing::Test {
 protected:
  explicit HouseTest(std::string_view policy)
      : policy_(
            std::make_shared<const policy::Policy>(policy::Policy::parse({{"p.json", std::string(policy)}}).value())),
        gateway_(std::make_unique<Gateway>(
            CallTools{loop_, policy_, scanner_, nullptr, *budgets_,
                      [this](audit::Event event, audit::AuditLog::Committed committed) {
                        rows_.push_back(std::move(event));
                        loop_.post([this, committed = std::move(committed)] {
                          committed(disk_full_ ? Result<void>(fail("the disk is full")) : Result<void>());
                        });
                      },
                      nullptr},
            PinFile::open(pin_path_).value(),
            Gateway::Callbacks{[this](const std::string& server, const Outgoing& message) {
                                 written_[server].push_back(*json::read(message.line));
                               },
                               [](const std::string&) {},
                               [this](const std::string& server, const Error& why) {
                                 broken_.push_back(server + ": " + why.message());
                               }})) {}
  ~HouseTest() override {
    gateway_.reset();
    turn();
    std::filesystem::remove(pin_path_);
  }

  void turn() {
    for (int i = 0; i < 10; ++i) loop_.turn();
  }
  // Lets everything that the scanner was asked pass.
  void allow() {
    for (int i = 0; i < 20; ++i) {
      turn();
      for (const auto& stream : scanner_.streams) {
        if (stream->question) stream->answer(dlp::ScanVerdict{dlp::ScanVerdict::Outcome::allow, {}, {}});
      }
    }
  }
  // The server `name` comes up, and is one of the session era.
  void begin(const std::string& name) {
    gateway_->upstream(name)->begin();
    if (written_[name].back()["method"] == "server/discover")
      answer(name, R"({"code":-32601,"message":"no"})", "error");
  }
  // With these tools.
  void greet(const std::string& name, const std::string& tools) {
    begin(name);
    answer(name, R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{}})");
    answer(name, R"({"tools":[)" + tools + "]}");
    allow();
  }
  // Answers the last request that the server was sent.
  void answer(const std::string& name, const std::string& result, const std::string& kind = "result") {
    const Value* asked = nullptr;
    for (const auto& message : written_[name]) {
      if (message.contains("id")) asked = &message;
    }
    gateway_->upstream(name)->take(R"({"jsonrpc":"2.0","id":)" + json::write(asked->at("id")) + ",\"" + kind +
                                   "\":" + result + "}\n");
  }

  Loop loop_;
  InForce<policy::Policy> policy_;
  proxy::ScriptedScanner scanner_;
  std::vector<audit::Event> rows_;
  bool disk_full_ = false;
  const std::unique_ptr<Budgets> budgets_ = Budgets::forgetful();
  const std::string pin_path_ = testing::TempDir() + "pins." + make_uuid();
  std::map<std::string, std::vector<Value>> written_;  // to each server
  std::vector<std::string> broken_;
  std::unique_ptr<Gateway> gateway_;
};

}  // namespace gatehouse::mcp
