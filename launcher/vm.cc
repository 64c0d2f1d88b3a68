#include "launcher/vm.h"

#include <charconv>

namespace gatehouse::launcher {

namespace {

// QEMU splits option values at commas; a doubled one stands for itself.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    text += c;
    if (c == ',') text += c;
  }
  return text;
}

std::string kernel_command_line(const VmSettings& settings) {
  // The triple-fault reboot (reboot=t) ends QEMU under -no-reboot, so a panic (panic=-1: at once) is seen as its exit.
  std::string line = "console=ttyS0 reboot=t panic=-1 quiet";
  // Under TCG the guest's calibration of its time stamp counter hangs half the time; 2 GHz is what QEMU's TCG counts at
  // nearly enough, and the clock is set by the launcher anyway.
  if (settings.accelerator == Accelerator::tcg) line += " tsc_early_khz=2000000";
  if (!settings.kernel_arguments.empty()) line += " " + settings.kernel_arguments;
  return line;
}

}  // namespace

std::vector<std::string> vm_arguments(const VmSettings& settings) {
  const bool kvm = settings.accelerator == Accelerator::kvm;
  return {
      "-name",
      "gatehouse-" + settings.session,
      // acpi: without it power-off only halts.
      "-M",
      "microvm,acpi=on,pit=on,pic=on,rtc=on,memory-backend=mem",
      // Shared memory: the bridge reads and writes the virtqueues in it.
      "-object",
      fmt::format("memory-backend-memfd,id=mem,size={}M,share=on", settings.memory_mib),
      "-accel",
      kvm ? "kvm" : "tcg",
      "-cpu",
      kvm ? "host" : "max",
      "-smp",
      fmt::format("{}", settings.cpus),
      "-nodefaults",
      "-no-user-config",
      "-no-reboot",
      "-display",
      "none",
      "-monitor",
      "none",
      "-sandbox",
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
      "-chardev",
      "file,id=console,path=" + escaped(settings.console),
      "-serial",
      "chardev:console",
      "-drive",
      fmt::format("id=root,if=none,format=raw,readonly=on,file={}", escaped(settings.root_image)),
      "-device",
      "virtio-blk-device,drive=root",
      "-chardev",
      "socket,id=vsock,path=" + escaped(settings.vhost_socket),
      "-device",
      "vhost-user-vsock-device,chardev=vsock",
      "-kernel",
      settings.kernel,
      "-initrd",
      settings.initrd,
      "-append",
      kernel_command_line(settings),
  };
}

Result<int> parse_memory(std::string_view text) {
  int64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const bool mebi = unit == "M" || unit == "MiB";
  const bool gibi = unit == "G" || unit == "GiB";
  if (error != std::errc() || (!mebi && !gibi)) {
    return fail("'{}' is no amount of memory: write 512M or 2G", text);
  }
  if (amount > kMaxMemoryMiB) amount = int64_t{kMaxMemoryMiB} + 1;  // keeps the product below in range
  const int64_t mib = gibi ? amount * 1024 : amount;
  if (mib < kMinMemoryMiB || mib > kMaxMemoryMiB) {
    return fail("{} is outside {}M to {}G", text, kMinMemoryMiB, kMaxMemoryMiB / 1024);
  }
  return static_cast<int>(mib);
}

}  // namespace gatehouse::launcher
