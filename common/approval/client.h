// How a gate asks for approval. An approver that is away, silent or incomprehensible is a denial: there is no way to
// get an approval from here but a decision that says so.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "common/approval/protocol.h"
#include "common/net/stream.h"

namespace gatehouse::approval {

// A question under way. Destroying it withdraws it, and nothing is called any more.
class Question {
 public:
  virtual ~Question() = default;
};

// Asks on one connection, made when it is needed and again after it was lost. Belongs to one loop, which outlives it,
// as it does its questions.
class Client {
 public:
  // Never from within ask(); it may destroy the question.
  using OnDecided = std::function<void(Decided)>;

  virtual ~Client() = default;
  // `wanted.id` is chosen here. Denied after wanted.time and kSlack even when nothing is heard.
  virtual std::unique_ptr<Question> ask(Wanted wanted, OnDecided on_decided) = 0;

  static std::unique_ptr<Client> create(Loop& loop, Endpoint approver);
  static constexpr std::chrono::seconds kSlack{5};  // for the approver to say itself that time is up
};

}  // namespace gatehouse::approval
