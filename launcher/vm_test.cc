#include "launcher/vm.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace gatehouse::launcher {
namespace {

using testing::HasSubstr;
using testing::Not;

VmSettings settings() {
  VmSettings settings;
  settings.session = "demo";
  settings.cpus = 3;
  settings.memory_mib = 768;
  settings.kernel = "/cache/vmlinuz";
  settings.initrd = "/cache/initrd";
  settings.root_image = "/cache/root.img";
  settings.kernel_arguments = "gatehouse.image=base";
  settings.vhost_socket = "/run/demo/vhost";
  settings.console = "/dev/fd/3";
  return settings;
}

// Every value given for `option`.
std::vector<std::string> values(const std::vector<std::string>& arguments, const std::string& option) {
  std::vector<std::string> found;
  for (size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == option) found.push_back(arguments[i + 1]);
  }
  return found;
}

TEST(Vm, CommandLineIsExactlyThis) {
  const std::vector<std::string> expected = {
      "-name",
      "gatehouse-demo",
      "-M",
      "microvm,acpi=on,pit=on,pic=on,rtc=on,memory-backend=mem",
      "-object",
      "memory-backend-memfd,id=mem,size=768M,share=on",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-smp",
      "3",
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
      "file,id=console,path=/dev/fd/3",
      "-serial",
      "chardev:console",
      "-drive",
      "id=root,if=none,format=raw,readonly=on,file=/cache/root.img",
      "-device",
      "virtio-blk-device,drive=root",
      "-chardev",
      "socket,id=vsock,path=/run/demo/vhost",
      "-device",
      "vhost-user-vsock-device,chardev=vsock",
      "-kernel",
      "/cache/vmlinuz",
      "-initrd",
      "/cache/initrd",
      "-append",
      "console=ttyS0 reboot=t panic=-1 quiet tsc_early_khz=2000000 gatehouse.image=base",
  };
  EXPECT_EQ(vm_arguments(settings()), expected);
}

TEST(Vm, HasNoNetworkCard) {
  const auto arguments = vm_arguments(settings());
  for (const auto& argument : arguments) {
    EXPECT_THAT(argument, Not(HasSubstr("net")));
    EXPECT_THAT(argument, Not(HasSubstr("-nic")));
  }
  EXPECT_EQ(std::count(arguments.begin(), arguments.end(), "-nodefaults"), 1);
}

TEST(Vm, UnderKvmTheHostsCpuIsShownAndTheClockIsMeasured) {
  auto kvm = settings();
  kvm.accelerator = Accelerator::kvm;
  const auto arguments = vm_arguments(kvm);
  EXPECT_THAT(values(arguments, "-accel"), testing::ElementsAre("kvm"));
  EXPECT_THAT(values(arguments, "-cpu"), testing::ElementsAre("host"));
  EXPECT_THAT(values(arguments, "-append").front(), Not(HasSubstr("tsc_early_khz")));
}

TEST(Vm, ACommaInAPathAddsNoOption) {
  auto odd = settings();
  odd.root_image = "/cache/a,readonly=off";
  EXPECT_EQ(values(vm_arguments(odd), "-drive").front(),
            "id=root,if=none,format=raw,readonly=on,file=/cache/a,,readonly=off");
}

TEST(Memory, IsReadWithItsUnit) {
  const std::pair<const char*, int> cases[] = {{"128M", 128}, {"512M", 512},  {"512MiB", 512},
                                               {"2G", 2048},  {"2GiB", 2048}, {"1024G", 1 << 20}};
  for (const auto& [text, mib] : cases) {
    const auto parsed = parse_memory(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, mib) << text;
  }
}

TEST(Memory, RefusesWhatIsNoAmountOrOutOfRange) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "'' is no amount of memory: write 512M or 2G"},
      {"512", "'512' is no amount of memory: write 512M or 2G"},
      {"M", "'M' is no amount of memory: write 512M or 2G"},
      {"1T", "'1T' is no amount of memory: write 512M or 2G"},
      {"1.5G", "'1.5G' is no amount of memory: write 512M or 2G"},
      {"512M ", "'512M ' is no amount of memory: write 512M or 2G"},
      {"64M", "64M is outside 128M to 1024G"},
      {"-1G", "-1G is outside 128M to 1024G"},
      {"1025G", "1025G is outside 128M to 1024G"},
      {"9223372036854775807G", "9223372036854775807G is outside 128M to 1024G"},
      {"99999999999999999999G", "'99999999999999999999G' is no amount of memory: write 512M or 2G"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = parse_memory(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message(), message);
  }
}

}  // namespace
}  // namespace gatehouse::launcher
