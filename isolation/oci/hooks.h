// The hooks of config.json: programs told the container's state on their standard input. Blocks
// until each has ended, in their order.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/oci/config.h"
#include "isolation/seccomp.h"

namespace skiff::isolation::oci {

// Where a hook runs: in the caller's namespaces, or in those of the process `pidfd` (borrowed).
struct HookPlace {
  int pidfd = -1;
  int namespace_types = 0;                  // CLONE_NEW*
  std::string directory = {};               // "": the caller's
  const SeccompProgram* seccomp = nullptr;  // borrowed: the container's filter, for them as well
};

// The first that fails, cannot be started or takes longer than its timeout (it is killed then) ends
// the list: "createRuntime hook 2 /bin/x: exit status 1".
Result<> RunHooks(const std::vector<Hook>& hooks, const std::string& name, const std::string& state,
                  const HookPlace& place = {});

// All of them in the caller's namespaces, also behind one that fails, and how those failed.
std::vector<Error> RunEveryHook(const std::vector<Hook>& hooks, const std::string& name,
                                const std::string& state);

}  // namespace skiff::isolation::oci
