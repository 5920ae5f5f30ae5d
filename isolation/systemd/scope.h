// A container's group as a scope of systemd, by way of skiff-oci-systemd, which speaks D-Bus: who
// is linked statically cannot load libsystemd, and who has no use for it need not have it.
//
// A scope is there only while it holds a process. Before the container's own is in it, that is the
// other program itself: it stays until Release, and with the caller's death it goes, too.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/process.h"
#include "isolation/systemd/unit.h"

namespace skiff::isolation {

struct SystemdBus {
  std::string program;   // skiff-oci-systemd
  bool is_user = false;  // the caller's own manager instead of process 1's
};

class SystemdScope {
 public:
  // When it returns the group is there with the unit's limits. kUnavailable without systemd.
  static Result<SystemdScope> Start(const SystemdBus& bus, const std::string& unit,
                                    const std::vector<UnitProperty>& properties);
  SystemdScope(SystemdScope&&) noexcept = default;
  SystemdScope& operator=(SystemdScope&&) = delete;
  ~SystemdScope() { Release(); }

  const std::string& group() const { return group_; }  // below the root of cgroup v2
  // Takes the place in the group from the other program.
  void Release();

 private:
  SystemdScope() = default;
  std::string group_;
  sys::Process holder_;
  UniqueFd input_;  // its end tells the holder to go
};

// Each of these is one run of the program.
Result<> SetScopeProperties(const SystemdBus& bus, const std::string& unit,
                            const std::vector<UnitProperty>& properties);
Result<> AttachToScope(const SystemdBus& bus, const std::string& unit, pid_t pid);
// Waits for its end; one that is not there is fine.
Result<> StopScope(const SystemdBus& bus, const std::string& unit);

}  // namespace skiff::isolation
