// How a container is confined beyond what every container has: what `skiff run --isolation` and
// dockerSecurityOptions may change, and what the plan says of it. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "isolation/capabilities.h"
#include "isolation/seccomp.h"

namespace skiff::runtime {

enum class SeccompChoice { kDefault, kNone, kProfile };

// What was asked for, of all containers of a task; what is absent keeps its default.
struct IsolationOptions {
  SeccompChoice seccomp = SeccompChoice::kDefault;
  isolation::SeccompProgram seccomp_program;              // of kProfile, compiled for this host
  uint32_t seccomp_flags = 0;                             // SECCOMP_FILTER_FLAG_*
  std::string seccomp_source;                             // the profile's file, for people
  std::optional<isolation::CapabilityMask> capabilities;  // before the definition's add and drop
  std::optional<bool> no_new_privileges;
  bool mask_paths = true;
  // Absent: where the network mode and the host allow it. On: or the task does not start.
  std::optional<bool> user_namespace;
  bool landlock = false;
  bool share_pids = false;  // the containers of the task see each other's processes
  bool trace_syscalls = false;
};

// A task's user namespace. Its containers' ids are a block of the host's that no other live task
// has; the block is claimed when the plan is written (runtime/supervisor/id_blocks.h).
struct UserNamespacePlan {
  bool is_wanted = false;
  bool is_required = false;  // else a host that cannot is a warning, and the ids are the host's
  uint32_t first_id = 0;     // 0: none claimed
  bool operator==(const UserNamespacePlan&) const = default;
};

struct ConfinementPlan {
  SeccompChoice seccomp = SeccompChoice::kDefault;
  isolation::SeccompProgram seccomp_program;
  uint32_t seccomp_flags = 0;
  bool no_new_privileges = true;
  bool mask_paths = true;
  bool landlock = false;
  // Names of the system calls are collected in syscalls/<container> of the task's directory.
  bool trace_syscalls = false;
  bool operator==(const ConfinementPlan&) const = default;
};

}  // namespace skiff::runtime
