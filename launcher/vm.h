// The virtual machine's command line. Pure: settings in, QEMU's arguments out.
//
// The machine is a microvm without a network card: its devices are a serial port (written to a file), a read-only root
// disk, and one vhost-user-vsock device whose other end is gatehouse-bridge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "launcher/accelerator.h"

namespace gatehouse::launcher {

inline constexpr int kDefaultCpus = 1;
inline constexpr int kMaxCpus = 64;
inline constexpr int kDefaultMemoryMiB = 512;
inline constexpr int kMinMemoryMiB = 128;
inline constexpr int kMaxMemoryMiB = 1 << 20;

struct VmSettings {
  std::string session;
  Accelerator accelerator = Accelerator::tcg;
  int cpus = kDefaultCpus;
  int memory_mib = kDefaultMemoryMiB;
  std::string kernel;
  std::string initrd;
  std::string root_image;        // raw file system, given to the guest read-only
  std::string kernel_arguments;  // besides those every guest gets
  std::string vhost_socket;      // gatehouse-bridge listens there
  std::string console;           // file or pipe that the guest's serial console is written to
};

// The arguments after argv[0]. Paths may hold any character; a comma is doubled as QEMU wants it.
std::vector<std::string> vm_arguments(const VmSettings& settings);

// "512M", "2G" or "2GiB" as MiB. A bare number, another unit, or a size outside kMinMemoryMiB to kMaxMemoryMiB is an
// error.
Result<int> parse_memory(std::string_view text);

}  // namespace gatehouse::launcher
