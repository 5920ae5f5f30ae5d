// Where everything of an installation lives. Every name derives from the task id, so cleaning up
// needs no memory.
//
//   <data root>                       /var/lib/skiff: survives a reboot
//     images/ layers/ ...             images/store.h
//     network/                        networking/subnet.h, lease_store.h
//     ids/<first id>                  symbolic link to the task that has the block (id_blocks.h)
//     cache/                          compiled seccomp programs
//     tasks/<task id>/
//       plan.json                     what the supervisor carries out
//       definition.json               as the user gave it
//       events                        append-only, one JSON line each (runtime/model/event.h)
//       lock                          record lock held by the supervisor as long as it lives
//       supervisor.log                what the supervisor could only say to its standard error
//       etc/hosts, resolv.conf, hostname    bound into the containers
//       containers/<name>/upper, work       the writable layer
//       containers/<name>/points            or, of a read-only root, its missing mount points
//       containers/<name>/volumes/<n>       what the image has as volumes, in the plan's order
//       storage.img                   their file system, where no quota limits them
//       (task_storage.h) logs/<name>/                  runtime/logs/segment.h syscalls/<name> of a
//       traced container: isolation/seccomp_trace.h
//     logs/<task id>/<name>/            logs that outlive the task: log streams own them
//   <run root>                        /run/skiff: gone after a reboot
//     tasks/<task id>/control.sock    runtime/supervisor/control.h
//     mnt/                            empty; containers attach their root here, each in its own
//     mount namespace
//   <cgroup hierarchy>/skiff/<task id>/<container>    another installation: skiff-<hash of its data
//   root>/...
#pragma once

#include <string>

#include "runtime/model/ids.h"

namespace skiff::runtime {

inline constexpr const char* kDefaultDataRoot = "/var/lib/skiff";
inline constexpr const char* kDefaultRunRoot = "/run/skiff";

struct Roots {
  std::string data = kDefaultDataRoot;
  std::string run = kDefaultRunRoot;

  std::string TasksDirectory() const { return data + "/tasks"; }
  std::string TaskDirectory(const TaskId& id) const { return TasksDirectory() + "/" + id.text(); }
  std::string LogDirectory(const TaskId& id, const std::string& container) const {
    return TaskDirectory(id) + "/logs/" + container;
  }
  // Of a container whose log outlives its task.
  std::string KeptLogDirectory(const TaskId& id, const std::string& container) const {
    return data + "/logs/" + id.text() + "/" + container;
  }
  std::string ContainerDirectory(const TaskId& id, const std::string& container) const {
    return TaskDirectory(id) + "/containers/" + container;
  }
  std::string VolumeDirectory(const TaskId& id, const std::string& container, size_t number) const {
    return ContainerDirectory(id, container) + "/volumes/" + std::to_string(number);
  }
  std::string TracedCallsDirectory(const TaskId& id) const {
    return TaskDirectory(id) + "/syscalls";
  }
  std::string RunDirectory(const TaskId& id) const { return run + "/tasks/" + id.text(); }
  std::string ControlSocket(const TaskId& id) const { return RunDirectory(id) + "/control.sock"; }
  std::string IdBlocksDirectory() const { return data + "/ids"; }
  std::string AttachPoint() const { return run + "/mnt"; }
  std::string CacheDirectory() const { return data + "/cache"; }
  // "skiff", or "skiff-<8 hex>" for another data root: two installations never share a group.
  std::string CgroupRoot() const;
};

// "eni-<17 hex>", as EC2 writes them.
std::string EniIdOf(const TaskId& id);

}  // namespace skiff::runtime
