#include "isolation/oci/security_label.h"

#include <fcntl.h>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"

namespace skiff::isolation::oci {
namespace {

bool HasAppArmor() {
  Result<std::string> enabled = sys::ReadFile(AT_FDCWD, "/sys/module/apparmor/parameters/enabled");
  return enabled.ok() && TrimSpace(enabled.value()) == "Y";
}

// Its file system is there exactly when it was not turned off at boot.
bool HasSelinux() {
  Result<std::string> kinds = sys::ReadFile(AT_FDCWD, "/proc/filesystems");
  return kinds.ok() && kinds.value().find("\tselinuxfs\n") != std::string::npos;
}

}  // namespace

Result<> SettleSecurityLabels(Process* process) {
  std::string& profile = process->apparmor_profile;
  bool has_profile = !profile.empty() && HasAppArmor();
  if (!has_profile && profile == "unconfined") profile.clear();
  if (!has_profile && !profile.empty()) {
    return Error(Code::kUnavailable, "process.apparmorProfile: '" + profile +
                                         "' cannot be applied: AppArmor is not enabled in this "
                                         "host's kernel");
  }
  if (!process->selinux_label.empty() && !HasSelinux()) {
    return Error(Code::kUnavailable, "process.selinuxLabel: '" + process->selinux_label +
                                         "' cannot be applied: SELinux is not enabled in this "
                                         "host's kernel");
  }
  return {};
}

Result<> CheckMountLabel(const Config& config) {
  if (config.mount_label.empty() || HasSelinux()) return {};
  return Error(Code::kUnavailable, "linux.mountLabel: '" + config.mount_label +
                                       "' cannot be applied: SELinux is not enabled in this "
                                       "host's kernel");
}

}  // namespace skiff::isolation::oci
