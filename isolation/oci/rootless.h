// Containers of a caller who may not mount. He becomes root of a user namespace of his own, with
// the ids that the configuration maps, and all goes on as for root; the container's own user
// namespace is below that one. What he may not map himself is mapped by newuidmap(1) and
// newgidmap(1).
#pragma once

#include "isolation/base/result.h"
#include "isolation/container_spec.h"

namespace skiff::isolation::oci {

// Whether this process lacks the right to mount.
Result<bool> IsRootless();

// Whether this process is in a user namespace beside the host's: root there may make no devices and
// finds hierarchies of groups that are not his.
bool IsInUserNamespace();

// For a container to be made: from here on the mappings of `namespaces` are those from the
// namespace in between. Single-threaded; there is no way back.
Result<> BecomeOwnRoot(NamespaceSpec* namespaces);

// For a process to be run in a container: enters its user namespace, so that what is left to join
// can be joined. There is no way back either.
Result<> JoinOwnContainer(NamespaceSpec* namespaces);

}  // namespace skiff::isolation::oci
