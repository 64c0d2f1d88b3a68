// What PID 1 does before anything else runs, and what a boot message changes.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/ipc/agent_protocol.h"

namespace gatehouse::guest {

// From the initial RAM disk: mounts the kernel's file systems, loads the modules that /modules/order names, puts the
// root image (/dev/vda, read-only) under a tmpfs overlay and makes that the root. Anything that fails is fatal.
Result<void> enter_root();

// /etc/resolv.conf names the relay, /etc/hosts this machine; room for thousands of connections.
Result<void> configure_system();

// The session's name, clock and certificate authority. The certificate goes into the system's bundle and into
// kSessionCaFile. Refuses a host name or a PEM text it cannot write down safely.
Result<void> apply(const ipc::Boot& boot);

// Where the agent finds this binary.
inline constexpr char kOwnBinary[] = "/usr/bin/gatehouse-guest";

inline constexpr char kCaBundleFile[] = "/etc/ssl/certs/ca-certificates.crt";
inline constexpr char kSessionCaFile[] = "/etc/ssl/certs/gatehouse-session.crt";

// One line on the console with the seconds since the kernel began: "gatehouse-guest: 1.93 root ready".
void report_progress(std::string_view stage);

// Ends the machine with the reason on the console (QEMU's -no-reboot turns a restart into its exit).
[[noreturn]] void end_machine(const Error& why);

}  // namespace gatehouse::guest
