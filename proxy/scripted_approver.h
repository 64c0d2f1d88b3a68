// For tests: an approver that keeps what it is asked, and decides when and what the test says.
#pragma once

#include <optional>
#include <utility>

#include "common/approval/client.h"

namespace gatehouse::proxy {

class ScriptedApprover final : public approval::Client {
 public:
  std::unique_ptr<approval::Question> ask(approval::Wanted question, OnDecided on_decided) override {
    wanted = std::move(question);
    decided_ = std::move(on_decided);
    return std::make_unique<Asked>(*this);
  }
  bool waiting() const { return decided_ != nullptr; }
  void decide(bool allowed, std::string by, std::string reason) {
    std::exchange(decided_, nullptr)({wanted.id, allowed, approval::Scope::once, std::move(by), std::move(reason)});
  }

  approval::Wanted wanted;

 private:
  struct Asked final : approval::Question {
    explicit Asked(ScriptedApprover& asked) : approver(asked) {}
    ~Asked() override { approver.decided_ = nullptr; }
    ScriptedApprover& approver;
  };
  OnDecided decided_;
};

}  // namespace gatehouse::proxy
