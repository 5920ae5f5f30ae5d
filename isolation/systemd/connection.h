// A connection to a service manager (org.freedesktop.systemd1(5)) by libsystemd's sd-bus. One
// thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/systemd/unit.h"

struct sd_bus;

namespace skiff::isolation {

class SystemdConnection {
 public:
  // Process 1's over the system bus, or the calling user's own over his.
  static Result<SystemdConnection> Connect(bool is_user);

  // Makes a scope that holds the process and waits until it is there; its group's path below the
  // root of cgroup v2, "/system.slice/...". A unit of that name that failed earlier gives way.
  Result<std::string> StartScope(const std::string& unit, pid_t pid,
                                 const std::vector<UnitProperty>& properties);
  // Until the unit ends.
  Result<> SetProperties(const std::string& unit, const std::vector<UnitProperty>& properties);
  // Moves a process into the unit's group, also from where the caller may not take it himself.
  Result<> Attach(const std::string& unit, pid_t pid);
  // Waits for its end, and forgets that it failed. One that is not there is fine.
  Result<> Stop(const std::string& unit);

 private:
  struct Unref {
    void operator()(sd_bus* bus) const;
  };
  explicit SystemdConnection(sd_bus* bus) : bus_(bus) {}
  Result<std::string> Start(const std::string& unit, pid_t pid,
                            const std::vector<UnitProperty>& properties);
  Result<> Await(const std::string& unit, const std::string& job, std::string* outcome);
  std::unique_ptr<sd_bus, Unref> bus_;
  Result<> Subscribe();
  std::vector<std::pair<std::string, std::string>> ended_;  // jobs and their results
};

}  // namespace skiff::isolation
