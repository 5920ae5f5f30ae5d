// A user namespace that is joined by path: which ids it maps is not the configuration's to say.
#pragma once

#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// Whether `config` names one to join.
bool JoinsUser(const Config& config);

// Opens it and puts its mappings into `config`; mappings that stand there already must be the same,
// and the process's own ids among them. Invalid: none is joined, or this process has entered it.
// Single-threaded, with root's rights.
Result<UniqueFd> OpenJoinedUser(Config* config, bool is_entered);

// For a caller without rights on the host: becomes root of it, and so whoever may set up the
// container. The kernel lets him whose it is: user_namespaces(7). There is no way back.
Result<> BecomeRootOfJoinedUser(const Config& config);
// The same for a process to be run in a container: the namespace is one of `joins`, which it
// leaves.
Result<> BecomeRootOfJoinedUser(std::vector<NamespaceJoin>* joins);

}  // namespace skiff::isolation::oci
