// `exec`: one more process in a running container, in its namespaces and its cgroup.
//
// This process cannot be traced or read by what is inside from before it enters (CVE-2016-9962),
// and the process has what config.json or --process grants and nothing inherited.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/oci/run.h"

namespace skiff::isolation::oci {

struct ExecOptions {
  CommandContext context;
  std::string id;
  std::string process_file;            // "": the container's own process, changed by what follows
  std::vector<std::string> arguments;  // argv
  std::vector<std::string> environment;
  std::vector<std::string> capabilities;  // added
  std::string user;                       // UID[:GID]
  std::vector<uint32_t> additional_gids;
  std::string working_directory;  // "": the container's
  // Groups below the container's, [CONTROLLER,...:]PATH: the first form is for hosts with cgroup
  // v1.
  std::vector<std::string> cgroups;
  std::string apparmor_profile;  // "": the process's own; selinux_label, too
  std::string selinux_label;
  std::string pid_file;
  std::string console_socket;
  unsigned preserved_descriptors = 0;
  bool has_terminal = false;
  bool no_new_privileges = false;
  bool is_detached = false;
  bool ignores_pause = false;  // waits inside a paused container until it is resumed
};

// As Run.
Result<int> Exec(const ExecOptions& options, int* failure_code);

}  // namespace skiff::isolation::oci
