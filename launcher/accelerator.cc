#include "launcher/accelerator.h"

#include <unistd.h>

#include "common/base/fd.h"

namespace gatehouse::launcher {

namespace {

constexpr char kKvmDevice[] = "/dev/kvm";
constexpr size_t kMaxCpuinfoBytes = 16 << 20;

}  // namespace

bool shows_virtualization(std::string_view cpuinfo) {
  while (!cpuinfo.empty()) {
    const size_t newline = cpuinfo.find('\n');
    const std::string line = std::string(cpuinfo.substr(0, newline)) + " ";
    cpuinfo.remove_prefix(newline == std::string_view::npos ? cpuinfo.size() : newline + 1);
    if (!line.starts_with("flags")) continue;
    if (line.find(" vmx ") != std::string::npos || line.find(" svm ") != std::string::npos) return true;
  }
  return false;
}

KvmState probe_kvm() {
  KvmState state;
  state.present = ::access(kKvmDevice, F_OK) == 0;
  state.accessible = ::access(kKvmDevice, R_OK | W_OK) == 0;
  const auto cpuinfo = read_file("/proc/cpuinfo", kMaxCpuinfoBytes);
  state.cpu_support = cpuinfo && shows_virtualization(*cpuinfo);
  return state;
}

std::string kvm_obstacle(const KvmState& state) {
  if (!state.cpu_support) {
    return "the CPU shows neither vmx nor svm: turn virtualization on in the firmware, or nested virtualization when "
           "this "
           "is a virtual machine";
  }
  if (!state.present) return "there is no /dev/kvm: load the module with `modprobe kvm_intel` or `modprobe kvm_amd`";
  if (!state.accessible) {
    return "/dev/kvm may not be read and written by this user: join the group that owns it (`adduser $USER kvm`) and "
           "log "
           "in again";
  }
  return "";
}

Result<AcceleratorChoice> parse_accelerator(std::string_view text) {
  if (text == "auto") return AcceleratorChoice::automatic;
  if (text == "kvm") return AcceleratorChoice::kvm;
  if (text == "tcg") return AcceleratorChoice::tcg;
  return fail("'{}' is no accelerator: auto, kvm or tcg", text);
}

Result<SelectedAccelerator> select_accelerator(AcceleratorChoice choice, const KvmState& state) {
  if (choice == AcceleratorChoice::tcg) return SelectedAccelerator{Accelerator::tcg, ""};
  if (state.usable()) return SelectedAccelerator{Accelerator::kvm, ""};
  if (choice == AcceleratorChoice::kvm) return fail("KVM cannot be used: {}", kvm_obstacle(state));
  return SelectedAccelerator{Accelerator::tcg, "running without KVM, several times slower: " + kvm_obstacle(state)};
}

}  // namespace gatehouse::launcher
