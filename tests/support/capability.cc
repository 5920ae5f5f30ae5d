#include "tests/support/capability.h"

#include <unistd.h>

#include "isolation/cgroup.h"
#include "isolation/erofs.h"

namespace skiff::test {

std::string MissingRoot() { return geteuid() == 0 ? "" : "root"; }

std::string MissingBusybox() {
  return access("/bin/busybox", X_OK) == 0 ? "" : "busybox (package busybox-static)";
}

std::string MissingMemoryController() {
  Result<isolation::CgroupHost> host = isolation::CgroupHost::Discover();
  if (!host.ok()) return "cgroup2: " + host.error().message();
  bool is_missing = host.value().PlacementOf(isolation::Controller::kMemory) ==
                    isolation::CgroupHost::Placement::kMissing;
  return is_missing ? "memory controller" : "";
}

std::string MissingErofs(const std::string& directory) {
  Result<isolation::ErofsBacking> backing = isolation::FindErofsBacking(directory);
  return backing.ok() ? "" : backing.error().message();
}

}  // namespace skiff::test
