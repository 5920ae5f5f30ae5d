#include "isolation/oci/security_label.h"

#include <fcntl.h>

#include <string_view>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"

namespace skiff::isolation::oci {
namespace {

bool HasAppArmor() {
  Result<std::string> enabled = sys::ReadFile(AT_FDCWD, "/sys/module/apparmor/parameters/enabled");
  return enabled.ok() && TrimSpace(enabled.value()) == "Y";
}

// Its file system is there when it was not turned off at boot. Until a policy is loaded every
// process is "kernel", and nothing is enforced: security/selinux/ss/services.c, Linux 6.12.
bool HasSelinux() {
  Result<std::string> kinds = sys::ReadFile(AT_FDCWD, "/proc/filesystems");
  if (!kinds.ok() || kinds.value().find("\tselinuxfs\n") == std::string::npos) return false;
  Result<std::string> label = sys::ReadFile(AT_FDCWD, "/proc/self/attr/current");
  return label.ok() && std::string_view(label.value().c_str()) != "kernel";
}

void TakeOut(std::string* label, const char* member, const char* module,
             std::vector<std::string>* warnings) {
  warnings->push_back(std::string(member) + ": '" + *label + "' has no effect: " + module +
                      " is not enabled in this host's kernel");
  label->clear();
}

}  // namespace

void SettleSecurityLabels(Process* process, std::vector<std::string>* warnings) {
  std::string& profile = process->apparmor_profile;
  if (!profile.empty() && !HasAppArmor()) {
    if (profile == "unconfined") profile.clear();
    if (!profile.empty()) TakeOut(&profile, "process.apparmorProfile", "AppArmor", warnings);
  }
  std::string& label = process->selinux_label;
  if (!label.empty() && !HasSelinux()) TakeOut(&label, "process.selinuxLabel", "SELinux", warnings);
}

void SettleMountLabel(Config* config) {
  std::string& label = config->mount_label;
  if (!label.empty() && !HasSelinux())
    TakeOut(&label, "linux.mountLabel", "SELinux", &config->warnings);
}

}  // namespace skiff::isolation::oci
