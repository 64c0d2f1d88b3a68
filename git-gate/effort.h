// How much the proofs of one decision may cost. They are made in one turn of the loop, in which no other push goes on,
// and how many commits and trees there are to look at is the guest's to say. What is beyond counts as unproved.
#pragma once

#include <cstdint>

namespace gatehouse::git_gate {

inline constexpr uint64_t kMaxProofSteps = 4'000'000;  // commits and entries of trees; about a second

class Effort {
 public:
  explicit Effort(uint64_t steps = kMaxProofSteps) : left_(steps) {}
  // False once there is nothing left.
  bool spend(uint64_t steps) {
    left_ = steps < left_ ? left_ - steps : 0;
    return left_ > 0;
  }

 private:
  uint64_t left_;
};

}  // namespace gatehouse::git_gate
