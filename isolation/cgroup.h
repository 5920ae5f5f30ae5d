// Control groups: one path ("skiff/<task>/<container>") that stands for a group in the unified
// hierarchy (cgroup v2) and, on hosts whose controllers still sit in cgroup v1 (hybrid), for the
// groups of the same path there.
//
// cgroup v2 is the mechanism: processes are placed (CLONE_INTO_CGROUP), killed (cgroup.kill, 5.14)
// and waited for through it. A v1 group only carries the limits of its controller. Interface files:
// kernel Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. A host without any v2 mount is
// refused.
//
// Only groups below the given path are ever created or removed. Enabling controllers in the root's
// cgroup.subtree_control is the one change outside (a systemd host has them enabled already).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::isolation {

enum class Controller { kCpu, kMemory, kPids, kCpuAccounting };
inline constexpr std::array kControllers = {Controller::kCpu, Controller::kMemory,
                                            Controller::kPids, Controller::kCpuAccounting};
std::string ControllerName(Controller controller);  // "cpu", "memory", "pids", "cpuacct"

inline constexpr uint64_t kCpuPeriodMicroseconds = 100'000;  // the kernel's for a new group
// These take a limit away, where an absent one leaves what the group has.
inline constexpr Bytes kUnlimitedBytes = Bytes(UINT64_MAX);
inline constexpr uint64_t kUnlimited = UINT64_MAX;

// A file of cgroup v2 by its own name, "cpuset.cpus": for what has no member of its own. The
// controller before the dot is enabled for the group; one that this host has not is an error.
struct CgroupFile {
  std::string name;  // "": cgroup v2 has nothing like it, which is an error where v1 has not either
  std::string value;
  std::string other_name = {};  // where the first does not exist
  std::string other_value = {};
  // Instead, where the controller before this dot has a hierarchy of cgroup v1 (kEvery).
  std::string legacy_name = {};
  std::string legacy_value = {};
  std::string legacy_other_name = {};
  std::string asked_by = {};  // for errors: who wants it
};

struct CgroupLimits {
  std::optional<Bytes> memory_max;       // hard
  std::optional<Bytes> memory_low;       // protected from reclaim
  std::optional<uint64_t> cpu_quota_us;  // per period
  std::optional<uint64_t> cpu_shares;    // Docker and ECS units: 2..262144
  std::optional<uint64_t> pids_max;
  std::optional<uint64_t> cpu_period_us;
  std::vector<CgroupFile> files;  // written last, in this order
  // Beyond memory_max, and with it only; kUnlimitedBytes stands alone, too.
  std::optional<Bytes> swap_max = Bytes(0);
  // Every controller of cgroup v2 that can be passed on, for groups that the container makes
  // itself.
  bool has_every_controller = false;
};

// 1..10000 from Docker's shares, the linear formula that runc and crun used for years.
uint64_t CpuWeightOfShares(uint64_t shares);

struct CgroupUsage {
  std::optional<uint64_t> cpu_us;
  std::optional<Bytes> memory_current;
  uint64_t oom_kills = 0;
};

// An open group. Moves; closing it leaves the group in place.
class Cgroup {
 public:
  const std::string& path() const { return path_; }
  int unified_fd() const { return unified_.get(); }  // for CLONE_INTO_CGROUP; borrowed
  // The file "tasks" of each v1 group, for a process of one thread. By cgroup.procs the kernel
  // would hold up every fork and exit of the host and wait some 10 ms for RCU
  // (cgroup_procs_write_start).
  const std::vector<UniqueFd>& legacy_tasks() const { return legacy_tasks_; }

  Result<> Kill() const;
  // False when processes are left after `timeout`. Waits for cgroup.events, no polling.
  Result<bool> WaitEmpty(std::chrono::milliseconds timeout) const;
  CgroupUsage Usage() const;

 private:
  friend class CgroupHost;
  std::string path_;
  UniqueFd unified_;
  UniqueFd memory_;     // the directory that holds the memory controller's files, v2 or v1
  UniqueFd cpu_usage_;  // directory with cpu.stat (v2) or cpuacct.usage (v1)
  bool is_memory_legacy_ = false;
  bool is_cpu_usage_legacy_ = false;
  std::vector<UniqueFd> legacy_tasks_;
};

struct Setting;  // isolation/cgroup_settings.h

class CgroupHost {
 public:
  // kLimited: of cgroup v1, the hierarchies of kControllers, which carry limits; being in one more
  // costs every start some 0.1 ms. kEvery: all that are mounted, for callers who look for a
  // container in each.
  enum class Hierarchies { kLimited, kEvery };
  // Reads /proc/self/mountinfo (or a file of its form, for tests). kUnavailable without a cgroup2
  // mount.
  static Result<CgroupHost> Discover(Hierarchies hierarchies = Hierarchies::kLimited,
                                     const std::string& mountinfo = "/proc/self/mountinfo");

  enum class Placement { kUnified, kLegacy, kMissing };
  Placement PlacementOf(Controller controller) const;
  const std::string& unified_mount() const { return unified_mount_; }

  // Makes the group (and its parents) and sets its limits. What no controller of this host can
  // enforce is added to `warnings` in words; a limit that exists but cannot be set is an error, and
  // then nothing is left behind.
  Result<Cgroup> Create(const std::string& path, const CgroupLimits& limits,
                        std::vector<std::string>* warnings) const;

  // Sets limits of a group that is there. Warnings as in Create.
  Result<> Update(const std::string& path, const CgroupLimits& limits,
                  std::vector<std::string>* warnings) const;

  // A group that is there already, or groups below it: each choice is a path below `path`, for all
  // hierarchies or, with controllers ("cpu", "memory"), for those of cgroup v1 that hold these.
  struct Choice {
    std::vector<std::string> controllers;
    std::string path;  // "": the group itself
  };
  Result<Cgroup> Open(const std::string& path, const std::vector<Choice>& choices = {}) const;

  // Kills what runs in the group or below, waits, and removes the groups in every hierarchy. Absent
  // is fine.
  Result<> Remove(const std::string& path) const;

  // Removes what of the group holds no process; the rest stays.
  Result<> RemoveIfEmpty(const std::string& path) const;

  // Removes the groups above `path` from the nearest on, as far as they are empty.
  void RemoveEmptyParents(const std::string& path) const;

  // A group that is there and takes no step: of cgroup v2, or of the v1 freezer.
  bool IsFrozen(const std::string& path) const;

  // A v1 freezer, which somebody may have put a process into, keeps it from dying: takes it out.
  Result<> FreeFromLegacyFreezer(int pid) const;

  // The paths of the hierarchies' directories for `path`, for those who look (doctor, inspect,
  // tests).
  std::vector<std::string> Directories(const std::string& path) const;

 private:
  struct Legacy {
    std::string controller;  // "freezer", or "name=systemd" of a hierarchy without one
    std::string mount;
  };
  Result<> PassOn(const std::string& parent, const std::vector<std::string>& controllers) const;
  Result<> MakeUnified(const std::string& path) const;
  void PassOnAll(const std::string& path) const;
  Result<> EnableFor(const std::string& path, const CgroupLimits& limits) const;
  Result<> MakeEverywhere(const std::string& path) const;
  std::string LegacyMountOf(std::string_view controller) const;  // "": none
  std::string LegacyMountOf(const CgroupFile& file) const;
  Result<> Write(const std::string& path, const Setting& setting,
                 std::vector<std::string>* warnings) const;
  Result<> Write(const std::string& path, const CgroupFile& file) const;
  Result<Cgroup> OpenGroup(const std::string& path) const;
  std::vector<std::string> HierarchiesOf(const Choice& choice) const;
  std::string DirectoryOf(Controller controller, const std::string& path) const;  // "" when missing
  Result<> Apply(const std::string& path, const CgroupLimits& limits,
                 std::vector<std::string>* warnings) const;

  std::string unified_mount_;
  std::vector<Controller> unified_controllers_;
  std::vector<Legacy> legacy_;
  std::string legacy_freezer_;  // its mount, "": none
};

}  // namespace skiff::isolation
