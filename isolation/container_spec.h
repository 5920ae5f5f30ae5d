// Everything the launch code needs to start one container process: complete and concrete. Nothing
// here has a default that decides anything; whoever builds a spec (runtime/plan, isolation/oci) has
// decided.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isolation/base/unique_fd.h"
#include "isolation/capabilities.h"
#include "isolation/seccomp.h"
#include "isolation/user_lookup.h"

namespace skiff::isolation {

// Ids `inside`... of a user namespace are `outside`... of the caller's.
struct IdMapping {
  uint32_t inside = 0;
  uint32_t outside = 0;
  uint32_t size = 0;
};

// Stored ids `inside`... of a mount are shown, and stored back, as `outside`...
struct IdMap {
  std::vector<IdMapping> uids;
  std::vector<IdMapping> gids;
  bool is_recursive = false;
};

// Carried out in order inside the new mount namespace; targets are paths inside the container's
// root, resolved there and never out of it. Missing target directories are made.
struct MountSpec {
  enum class Kind {
    kFilesystem,  // a new file system of `type`
    kBind,        // the host's `source`, file or directory
    kCgroup,      // cgroup2 of the container's own cgroup namespace
    kRemount,     // what is mounted at the target gets other attributes
  };
  Kind kind = Kind::kFilesystem;
  std::string target;
  std::string type;
  std::string source;
  std::vector<std::pair<std::string, std::string>>
      options;                          // fsconfig(2) key and value; an empty value is a flag
  uint64_t attributes = 0;              // MOUNT_ATTR_* of mount_setattr(2)
  bool is_recursive = false;            // kBind: with what is mounted below `source`
  uint64_t cleared_attributes = 0;      // kBind, kRemount: those that go, whatever the source has
  bool is_attributes_recursive = true;  // kBind: `attributes` hold for what is mounted below, too
  uint64_t recursive_attributes = 0;    // kBind: these do in any case
  uint64_t recursive_cleared_attributes = 0;
  uint64_t propagation = 0;  // MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE; 0: private
  bool is_propagation_recursive = false;
  bool copies_up = false;       // a new file system begins with what the root has at the target
  bool is_id_mapped = false;    // kBind: shown under the ids of the joined user namespace
  std::optional<IdMap> id_map;  // kBind: shown under these ids
  std::string root_label;       // kFilesystem: SELinux's, on its topmost directory; "": none
};

struct DeviceSpec {
  std::string path;  // inside the root
  char type = 'c';   // 'c', 'b', or 'p': a named pipe
  uint32_t major = 0;
  uint32_t minor = 0;
  uint32_t mode = 0666;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string host_path;  // with a new user namespace: the node that is bound; "": that at `path`
};

struct SymlinkSpec {
  std::string path;
  std::string target;
};

struct RlimitSpec {
  int resource = 0;  // RLIMIT_*
  uint64_t soft = 0;
  uint64_t hard = 0;
};

// How much a new time namespace's clocks are ahead of its creator's.
struct ClockOffset {
  bool is_boottime = false;  // else: monotonic
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

// A namespace that exists: borrowed descriptor, CLONE_NEW* flag.
struct NamespaceJoin {
  int fd = -1;
  int type = 0;
};

// New namespaces. Network: when not new and no descriptor is given, the caller's is kept.
// As /proc/PID/uid_map takes them.
std::string MapText(const std::vector<IdMapping>& mappings);

struct NamespaceSpec {
  bool new_pid = true;
  bool new_mount = true;
  bool new_uts = true;
  bool new_ipc = true;
  bool new_cgroup = true;
  bool new_network = false;
  bool new_time = false;
  std::vector<ClockOffset> clock_offsets;  // new_time
  int join_network = -1;                   // borrowed descriptor
  // Borrowed. Joined last, when everything is in its place: all other namespaces stay the host's
  // root's, so that no right inside reaches the container's own mounts.
  int join_user = -1;
  int join_pid = -1;  // borrowed; when not new_pid
  bool new_user = false;
  // Borrowed. Entered first, so that what is new belongs to it; instead of new_user.
  int enter_user = -1;
  bool HasOwnUser() const { return new_user || enter_user >= 0; }
  bool is_in_user = false;  // the caller himself is in a user namespace
  // False: those of the host are bound, and so are file systems that may not be made.
  bool MayMakeNodes() const { return !HasOwnUser() && !is_in_user; }
  std::vector<IdMapping> uid_mappings;  // new_user: both must not be empty; enter_user: as they are
  std::vector<IdMapping> gid_mappings;
  // The caller has rights in a user namespace of his own only: he stays in those of `joins` that he
  // enters, and may write the maps of a process only while others may look into it.
  bool is_rootless = false;
  // Root of a user namespace has no right to his own namespaces either, as far as they are the
  // host's.
  bool MayComeBack() const { return !is_rootless && !is_in_user; }
  std::vector<NamespaceJoin> joins;  // user, mount and cgroup by the child, others around the clone
};

// sched_setattr(2). Times in nanoseconds.
struct SchedulingSpec {
  uint32_t policy = 0;  // SCHED_*
  uint64_t flags = 0;   // SCHED_FLAG_*
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};

// set_mempolicy(2).
struct MemoryPolicySpec {
  int mode = 0;                 // MPOL_*, with the MPOL_F_* flags
  std::vector<unsigned> nodes;  // below kMaxMemoryNodes
};

struct ContainerSpec {
  std::vector<std::string>
      arguments;  // argv; [0] is looked up in PATH of `environment` unless it has a slash
  std::vector<std::string> environment;  // NAME=value, complete
  std::string working_directory = "/";   // made when absent
  ContainerUser user;
  bool keeps_groups = false;  // the caller's supplementary groups instead of the user's
  uint32_t umask = 022;
  CapabilitySets capabilities;
  bool no_new_privileges = true;
  std::string apparmor_profile;             // "": as the kernel's rules have it for the program
  std::string selinux_label;                // the same
  const SeccompProgram* seccomp = nullptr;  // borrowed; null: none
  uint32_t seccomp_flags = 0;               // SECCOMP_FILTER_FLAG_* of seccomp(2)
  bool seccomp_listens = false;  // somebody is to answer its calls: LaunchCallbacks::on_listener
  int landlock = -1;             // borrowed: a ruleset of Landlock; -1: none
  std::vector<RlimitSpec> rlimits;
  std::optional<int> oom_score_adj;
  std::optional<SchedulingSpec> scheduling;
  std::optional<int> io_priority;       // as ioprio_set(2) takes it, class included
  std::optional<uint32_t> personality;  // PER_* of personality(2)
  std::optional<MemoryPolicySpec> memory_policy;
  std::vector<int> processors;  // where it runs from its first instruction on; empty: anywhere
  // With join_user: the id outside that is 0 inside. What the set-up makes belongs to it.
  uint32_t first_id = 0;
  std::string hostname;    // "" keeps
  std::string domainname;  // "" keeps

  NamespaceSpec namespaces;
  int root_mount = -1;  // borrowed: the detached mount that becomes "/"; -1: the root of the
                        // joined mount namespace is kept, nothing is mounted or made
  // An existing host directory; the root is attached there, in the new namespace only. Without a
  // mount namespace to make or join everybody sees it there, and who launches takes it off again.
  std::string attach_point;
  int kept_root = -1;  // borrowed directory, without root_mount: becomes "/" by chroot(2)
  bool is_root_readonly = false;
  // The root is moved onto the host's instead of taking its place: pivot_root(2) leaves no ramfs.
  bool moves_root = false;
  // MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE: what holds for "/"; 0: private.
  uint64_t root_propagation = 0;
  bool is_root_propagation_recursive = false;
  std::vector<MountSpec> mounts;
  // Binds are made when their turn comes, so that mountinfo, which Linux 6.8 and later sort by age,
  // has the mounts in their order. Their sources are then looked up once more, by the child:
  // without a user namespace of the container's own and with nothing but a mount namespace in
  // between.
  bool binds_in_turn = false;
  std::vector<DeviceSpec> devices;
  std::vector<SymlinkSpec> symlinks;
  std::vector<std::pair<std::string, std::string>> sysctls;  // "net.ipv4.ip_forward", value
  std::vector<std::string> readonly_paths;
  std::vector<std::string> masked_paths;

  int standard_fds[3] = {-1, -1, -1};  // borrowed: become 0, 1, 2
  bool new_session = true;
  bool new_keyring = true;  // a session keyring of its own: keyrings have no namespace

  bool dies_with_caller = true;
  bool asks_for_group = false;  // calls LaunchCallbacks::join_group before anything else, and is in
                                // the caller's groups until then
  // Calls LaunchCallbacks::on_network when it is in its network namespace, with nothing mounted or
  // set yet.
  bool asks_for_links = false;
  bool pauses_before_pivot = false;  // calls LaunchCallbacks::before_pivot with all mounts made
  int gate = -1;  // borrowed listening socket: Launch returns when the child is ready, and
                  // the exec waits for a connection (launch.h)
  int console_socket = -1;    // borrowed: a new terminal's master is sent there, and its other side
                              // becomes 0, 1, 2 and the controlling terminal
  uint16_t console_rows = 0;  // 0: the kernel's
  uint16_t console_columns = 0;
  unsigned kept_descriptors = 0;  // so many from 3 on stay open
};

// The mounts, devices and paths every ordinary container has: /proc, /dev and its nodes, /dev/pts,
// /dev/shm, /dev/mqueue, /sys and /sys/fs/cgroup read-only; masked and read-only paths as Docker
// and podman have them.
void AddStandardFilesystems(ContainerSpec* spec);

// For a container that joins a user namespace whose 0 is `first_id` outside: devices and file
// systems that are made before it joins belong to its ids.
void GiveToIdBlock(uint32_t first_id, ContainerSpec* spec);

}  // namespace skiff::isolation
