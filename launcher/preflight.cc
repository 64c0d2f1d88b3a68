#include "launcher/preflight.h"

#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "launcher/accelerator.h"
#include "launcher/images.h"
#include "launcher/installation.h"
#include "launcher/paths.h"
#include "launcher/spawn.h"

namespace gatehouse::launcher {

namespace {

using State = Finding::State;

constexpr size_t kMaxProgramOutputBytes = 1 << 20;
constexpr uint64_t kImageRoomMiB = 1000;   // to build kernel and image
constexpr uint64_t kSessionRoomMiB = 100;  // for logs
constexpr char kSetup[] = "run scripts/setup";
constexpr char kVsockDevice[] = "vhost-user-vsock-device";

// What a program prints, both streams; a failing one is an error.
Result<std::string> output_of(const std::string& program, const std::vector<std::string>& arguments) {
  auto pipe = make_pipe();
  if (!pipe) return failed(pipe);
  ProcessSpec spec;
  spec.program = program;
  spec.arguments = arguments;
  spec.output = pipe->write.get();
  auto process = spawn(spec);
  if (!process) return failed(process);
  pipe->write.reset();
  auto text = read_all(pipe->read.get(), kMaxProgramOutputBytes);
  pipe->read.reset();
  int status = 0;
  while (::waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text) return failed(text, program);
  if (status != 0) return fail("{} {}", program, describe_end(status));
  return text;
}

void inspect_kvm(std::vector<Finding>& findings) {
  const KvmState kvm = probe_kvm();
  const auto add = [&](const char* subject, bool good, const char* yes, const char* no, const char* remedy) {
    findings.push_back({good ? State::good : State::slower, subject, good ? yes : no, good ? "" : remedy});
  };
  add("/dev/kvm", kvm.present, "present", "absent: sessions run under TCG, several times slower",
      "load the module with `modprobe kvm_intel` or `modprobe kvm_amd`");
  if (kvm.present) {
    add("/dev/kvm access", kvm.accessible, "this user may read and write it",
        "this user may not read and write it: sessions run under TCG",
        "join the group that owns it (`adduser $USER kvm`) and log in again");
  }
  add("CPU virtualization", kvm.cpu_support, "the CPU shows vmx or svm",
      "the CPU shows neither vmx nor svm: sessions run under TCG, several times slower",
      "turn it on in the firmware, or nested virtualization when this is a virtual machine");
}

void inspect_qemu(std::vector<Finding>& findings) {
  const auto qemu = find_program("qemu-system-x86_64");
  if (!qemu) {
    findings.push_back({State::missing, "QEMU", "qemu-system-x86_64 is not installed", kSetup});
    return;
  }
  const auto version = output_of(*qemu, {"--version"});
  findings.push_back(version ? Finding{State::good, "QEMU", version->substr(0, version->find('\n')), ""}
                             : Finding{State::missing, "QEMU", version.error().message(), kSetup});
  const auto devices = output_of(*qemu, {"-M", "microvm", "-device", "help"});
  const bool there = devices && devices->find(kVsockDevice) != std::string::npos;
  findings.push_back(there ? Finding{State::good, kVsockDevice, "QEMU has it", ""}
                           : Finding{State::missing, kVsockDevice, "this QEMU lacks it",
                                     "install a QEMU of 5.1 or later that is built with vhost-user"});
}

void inspect_house(std::vector<Finding>& findings) {
  for (const char* name : {"gatehouse-bridge", "gatehouse-dns", "gatehouse-proxy", "gatehouse-guest"}) {
    const auto binary = house_binary(name);
    findings.push_back(binary ? Finding{State::good, name, *binary, ""}
                              : Finding{State::missing, name, "not beside the running gatehouse", "run scripts/build"});
  }
}

// Whether a recipe has already left something in this folder of the cache.
bool is_built(const std::string& folder) {
  std::error_code error;
  return !std::filesystem::is_empty(folder, error) && !error;
}

void inspect_boot_files(std::vector<Finding>& findings, const std::string& cache) {
  const bool kernel = is_built(cache + "/kernel");
  const bool image = is_built(cache + "/images");
  std::string missing;
  for (const char* tool : {"apt-get", "dpkg-deb", "debugfs", "mke2fs", "flock", "sha256sum", "tar"}) {
    if (!find_program(tool)) missing += (missing.empty() ? "" : ", ") + std::string(tool);
  }
  const bool can_build = missing.empty();
  const auto add = [&](const char* subject, bool built) {
    if (built)
      findings.push_back({State::good, subject, "in " + cache, ""});
    else if (can_build)
      findings.push_back({State::good, subject, "not made yet: the first session makes it", ""});
    else
      findings.push_back({State::missing, subject, "not made yet, and the tools for it are missing", kSetup});
  };
  add("kernel", kernel);
  add("image", image);
  findings.push_back(can_build ? Finding{State::good, "image tools", "all there", ""}
                               : Finding{kernel && image ? State::slower : State::missing, "image tools",
                                         "missing: " + missing, kSetup});
  if (const auto names = image_names(); !names) {
    findings.push_back(
        {State::missing, "image recipes", names.error().message(), "run gatehouse from its build folder"});
  }
}

void inspect_disk(std::vector<Finding>& findings, const std::string& directory, uint64_t need_mib) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) {
    findings.push_back({State::missing, "disk", "cannot look at " + directory, "check that it is mounted"});
    return;
  }
  const uint64_t free_mib = uint64_t{disk.f_bavail} * disk.f_frsize >> 20;
  const std::string detail = fmt::format("{} MiB free in {}", free_mib, directory);
  findings.push_back(free_mib >= need_mib
                         ? Finding{State::good, "disk", detail, ""}
                         : Finding{State::missing, "disk", fmt::format("{}, {} MiB are needed", detail, need_mib),
                                   "free some space, or set XDG_CACHE_HOME and XDG_STATE_HOME to a larger disk"});
}

}  // namespace

std::vector<Finding> inspect_host() {
  std::vector<Finding> findings;
  inspect_kvm(findings);
  inspect_qemu(findings);
  inspect_house(findings);
  const auto cache = cache_directory();
  if (!cache) {
    findings.push_back(
        {State::missing, "cache", cache.error().message(), "set XDG_CACHE_HOME to a folder of your own"});
    return findings;
  }
  inspect_boot_files(findings, *cache);
  const bool built = is_built(*cache + "/kernel") && is_built(*cache + "/images");
  inspect_disk(findings, *cache, built ? kSessionRoomMiB : kImageRoomMiB);
  return findings;
}

std::string describe(const std::vector<Finding>& findings) {
  std::string text;
  for (const auto& finding : findings) {
    const char* mark = finding.state == State::good ? "ok  " : finding.state == State::slower ? "slow" : "FAIL";
    text += fmt::format("{}  {}: {}\n", mark, finding.subject, finding.detail);
    if (!finding.remedy.empty()) text += fmt::format("      remedy: {}\n", finding.remedy);
  }
  return text;
}

bool can_run(const std::vector<Finding>& findings) {
  for (const auto& finding : findings) {
    if (finding.state == State::missing) return false;
  }
  return true;
}

}  // namespace gatehouse::launcher
