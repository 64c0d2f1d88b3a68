// Whether the guest runs on the CPU's virtualization (KVM) or is translated (TCG).
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace gatehouse::launcher {

enum class Accelerator { kvm, tcg };
enum class AcceleratorChoice { automatic, kvm, tcg };

// What there is of KVM on this host. /dev/kvm alone proves nothing: in some sandboxes it opens and crawls, since the
// CPU shows neither VT-x nor SVM.
struct KvmState {
  bool present = false;      // /dev/kvm exists
  bool accessible = false;   // this user may read and write it
  bool cpu_support = false;  // the CPU shows vmx or svm
  bool usable() const { return present && accessible && cpu_support; }
};

KvmState probe_kvm();

// Whether a "flags" line of `cpuinfo` (the text of /proc/cpuinfo) has the word vmx or svm.
bool shows_virtualization(std::string_view cpuinfo);

// What keeps KVM from being used, with its remedy; empty when nothing does.
std::string kvm_obstacle(const KvmState& state);

// "auto", "kvm" or "tcg".
Result<AcceleratorChoice> parse_accelerator(std::string_view text);

struct SelectedAccelerator {
  Accelerator accelerator = Accelerator::tcg;
  std::string notice;  // one line for the user when `automatic` had to fall back; otherwise empty
};

// An explicit kvm that cannot be had is an error with the remedy.
Result<SelectedAccelerator> select_accelerator(AcceleratorChoice choice, const KvmState& state);

}  // namespace gatehouse::launcher
