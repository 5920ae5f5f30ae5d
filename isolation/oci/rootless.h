// Containers of a caller who may not mount. He becomes root of a user namespace of his own, with
// the ids that the configuration maps, and all goes on as for root; the container's own user
// namespace is below that one. What he may not map himself is mapped by newuidmap(1) and
// newgidmap(1).
//
// Inside he executes this program again, from its beginning (CommandContext::begin_again), before
// anything is made. A process that is closed to ptrace(2) is open to those alone who have
// CAP_SYS_PTRACE where its program was executed: a copy of a process from outside only to the
// host's root, one from here to the caller, whose namespace it is, and to nobody in the container,
// which is below. So he can enter and start a container whose program has not begun.
#pragma once

#include <sys/types.h>

#include "isolation/base/result.h"
#include "isolation/container_spec.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// Whether this process lacks the right to mount.
Result<bool> IsRootless();

// Whether this process is in a user namespace beside the host's: root there may make no devices and
// finds hierarchies of groups that are not his.
bool IsInUserNamespace();

// For a container to be made. Single-threaded; there is no way back.
Result<> BecomeOwnRoot(const Config& config);

// For a process to be run in a container, whose first process is `pid`: becomes root of the
// namespace above the container's. There is no way back either.
Result<> BecomeRootAbove(pid_t pid);

// Once there: from here on the mappings of `namespaces` are those from the namespace in between.
void SettleForOwnRoot(NamespaceSpec* namespaces);

}  // namespace skiff::isolation::oci
