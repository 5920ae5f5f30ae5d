// What the child does between clone and exec, and the plain data it does it from. Private to
// launch.cc. Built without exceptions; only system calls, no allocation, no locks: the child is a
// copy of its parent's memory.
#pragma once

#include <linux/filter.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "isolation/launch_steps.h"
#include "isolation/limits.h"

namespace skiff::isolation {

// Shared with the parent (MAP_SHARED): where the child is, and how it failed.
struct LaunchReport {
  volatile LaunchStep step;
  volatile int error_number;
  volatile int item;  // index of the mount, device, ... the step was at; -1: none
  // The descriptor of a seccomp listener, and whether the parent has it. No call tells: the filter
  // may hold any of them.
  volatile int listener;
  // The child's pidfd in its parent's table, from who made it in a user namespace; -1: not made.
  volatile int child;
  volatile int listener_answer;                    // kListenerTaken or kListenerRefused
  volatile int64_t finished_at[kLaunchStepCount];  // CLOCK_MONOTONIC, by step
};

// What the child writes to the error pipe; nothing, and its end, when the exec has happened.
inline constexpr char kLaunchFailed = 1;
inline constexpr char kLaunchKillParent = 2;  // test builds
inline constexpr char kLaunchWantsIds = 3;    // then waits for a byte from `resume`
inline constexpr char kLaunchWantsHooks = 4;  // the same
inline constexpr char kLaunchReady = 5;       // waits at the gate
inline constexpr char kLaunchListens = 6;     // LaunchReport::listener comes, or a failure
inline constexpr char kLaunchWantsGroup = 7;  // then waits as for the ids
inline constexpr char kLaunchWantsLinks = 8;  // the same
inline constexpr int kListenerTaken = 1;
inline constexpr int kListenerRefused = 2;

struct ChildOption {
  const char* key;
  const char* value;  // null: a flag
};
struct ChildMount {
  const char* target;
  const char* type;              // null for a bind
  int bind_mount = -1;           // a detached mount made by the parent
  const char* source = nullptr;  // instead: a bind that is made in its turn
  bool is_recursive = false;     // with what is mounted below `source`
  bool is_renewed = false;       // `bind_mount` is replaced by a younger clone of it
  bool is_file = false;          // the bind's target is a file
  bool is_attributes_recursive = false;
  const char* root_label = nullptr;
  const ChildOption* options = nullptr;
  size_t option_count = 0;
  uint64_t attributes = 0;
  uint64_t cleared = 0;
  uint64_t recursive = 0;
  uint64_t recursive_cleared = 0;
  uint64_t propagation = 0;
  bool is_propagation_recursive = false;
  bool copies_up = false;
  bool is_remount = false;
  bool wants_directory = false;   // the target must not be a link
  bool is_readonly_late = false;  // when all that lies in it is made
  int made = -1;                  // then kept open until that
};
struct ChildDevice {
  const char* path;
  mode_t mode;  // with S_IFCHR, S_IFBLK or S_IFIFO
  dev_t device;
  uid_t uid;
  gid_t gid;
};
struct ChildLink {
  const char* path;
  const char* target;
};
struct ChildSetting {
  const char* path;  // below the root: "proc/sys/net/..."
  const char* value;
};
// struct sched_attr of sched_setattr(2), which no header of glibc 2.36 has.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};
struct ChildRlimit {
  int resource;
  struct rlimit limit;
};

struct ChildPlan {
  LaunchReport* report;
  int error_pipe;
  int error_pipe_reader;  // the parent's end, closed first: then a dead parent shows on error_pipe
  int failpoint_step = -1;  // a LaunchStep to fail at, in test builds
  bool is_failpoint_kill = false;

  int resume;         // read end of a pipe
  int resume_writer;  // the parent's end, closed first
  bool new_user_namespace;
  bool is_user_namespace_entered;  // before the clone
  bool may_make_nodes;
  bool is_rootless;
  int join_mount;  // -1: none
  int join_user;
  int join_cgroup;
  bool dies_with_caller;
  bool asks_for_group;
  bool asks_for_links;
  bool pauses_before_pivot;
  int gate;
  int console_socket;
  uint16_t console_rows, console_columns;
  unsigned kept_descriptors;

  const int* legacy_tasks;
  size_t legacy_tasks_count;
  bool new_cgroup_namespace;
  bool new_network_namespace;
  int network_namespace;  // -1: none to join
  int user_namespace;     // -1: none to join
  uid_t owner;            // of the directories, files and links that are made; its group, too

  int root_mount;
  const char* attach_point;
  bool shares_mounts;  // the caller's mount namespace is kept
  int kept_root;
  bool is_root_readonly;
  bool moves_root;
  uint64_t root_propagation;
  bool is_root_propagation_recursive;
  ChildMount* mounts;
  size_t mount_count;
  const ChildDevice* devices;
  size_t device_count;
  const ChildLink* links;
  size_t link_count;
  const ChildSetting* sysctls;
  size_t sysctl_count;
  const char* const* readonly_paths;
  size_t readonly_count;
  const char* const* masked_paths;
  size_t masked_count;

  const char* hostname;
  size_t hostname_size;
  const char* domainname;
  size_t domainname_size;
  bool new_session;
  bool new_keyring;
  int standard_fds[3];
  const char* working_directory;

  const ChildRlimit* rlimits;
  size_t rlimit_count;
  const SchedulingAttributes* scheduling;  // null: keep
  int io_priority;                         // -1: keep
  long personality;                        // -1: keep
  const cpu_set_t* processors;             // null: keep
  int memory_policy;                       // MPOL_*, flags included; -1: keep
  const unsigned long* memory_nodes;       // kMaxMemoryNodes bits; null: none
  const char* oom_score_adj;               // null: keep
  uint64_t bounding, permitted, effective, inheritable, ambient;
  uid_t uid;
  gid_t gid;
  bool keeps_groups;
  bool may_keep_groups;  // a user namespace may forbid setgroups(2)
  const gid_t* groups;
  size_t group_count;
  mode_t umask;
  bool no_new_privileges;
  const sock_fprog* seccomp;  // null: none
  unsigned seccomp_flags;
  bool seccomp_listens;
  int landlock;  // -1: none

  const char* apparmor_command;  // "exec PROFILE"; null: none
  const char* selinux_label;     // null: none

  const char* const* candidates;  // full paths of the program, tried in order
  size_t candidate_count;
  char* const* arguments;
  char* const* environment;
};

// Never returns: execs, or reports and exits with 127.
[[noreturn]] void RunChild(const ChildPlan& plan);

}  // namespace skiff::isolation
