// config.json of the OCI runtime specification (1.0 to 1.3) as plain data: parsed and checked, with
// nothing decided yet. What skiff cannot do is refused here by name, never ignored; members the
// specification does not know are ignored, as it demands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/cgroup.h"
#include "isolation/container_spec.h"
#include "isolation/device_filter.h"
#include "isolation/oci/seccomp.h"

namespace skiff::isolation::oci {

enum class NamespaceType { kPid, kNetwork, kMount, kIpc, kUts, kCgroup, kUser, kTime };

struct Process {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string working_directory;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> additional_gids;
  uint32_t umask = 022;
  CapabilitySets capabilities;
  std::vector<RlimitSpec> rlimits;
  std::optional<int> oom_score_adj;
  std::optional<SchedulingSpec> scheduling;
  std::optional<int> io_priority;
  std::vector<int> initial_processors;  // of execCPUAffinity; empty: as they are
  std::vector<int> final_processors;
  bool no_new_privileges = false;
  std::string apparmor_profile;  // "": none
  std::string selinux_label;     // "": none
  bool has_terminal = false;
  uint16_t console_rows = 0;
  uint16_t console_columns = 0;
};

struct Hook {
  std::string path;
  std::vector<std::string> arguments;  // argv, complete
  bool has_environment = false;        // without: the runtime's own
  std::vector<std::string> environment;
  std::optional<int> timeout_seconds;
};

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
};

struct Mount {
  std::string path;  // in config.json, for errors: "mounts[3]"
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
};

// A network device of the runtime's namespace that goes into the container's.
struct NetDevice {
  std::string name;
  std::string new_name;  // "": the same; may hold one %d, for which a number is chosen
};

struct Resources {
  CgroupLimits limits;
  std::vector<std::string> limit_paths;  // the members that asked for a limit, for errors
  std::vector<DeviceRule> device_rules;
  // An update that would leave less memory than is in use is refused.
  bool checks_memory_use = false;
  std::vector<std::string> warnings;
};

// The id outside that `inside` stands for; what is not mapped is nobody's.
uint32_t OutsideId(const std::vector<IdMapping>& mappings, uint32_t inside);

struct Config {
  std::string version;
  Process process;
  std::string root_path;
  bool is_root_readonly = false;
  std::string root_propagation;  // a word as for mounts; "": private
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  std::map<std::string, std::string> annotations;

  Hooks hooks;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::map<NamespaceType, std::string> namespaces;  // "": a new one; else a path to join
  std::vector<ClockOffset> clock_offsets;
  std::string mount_label;  // of SELinux; "": none
  std::optional<uint32_t> personality;
  std::optional<MemoryPolicySpec> memory_policy;
  std::vector<DeviceSpec> devices;
  std::vector<NetDevice> net_devices;
  std::vector<std::pair<std::string, std::string>> sysctls;
  std::string cgroups_path;
  Resources resources;
  std::optional<SeccompProfile> seccomp;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;

  // What was asked for and cannot be granted where the specification wants a warning, not an error
  // (unknown capabilities).
  std::vector<std::string> warnings;
};

// Errors name the member: "process.rlimits[0].type: ...".
Result<Config> ParseConfig(std::string_view text);
// `linux.resources` by itself, as `update --resources` takes it.
Result<Resources> ParseResourcesFile(std::string_view text);
// A process by itself, as `exec --process` takes it. Warnings as in Config.
Result<Process> ParseProcessFile(std::string_view text, std::vector<std::string>* warnings);

}  // namespace skiff::isolation::oci
