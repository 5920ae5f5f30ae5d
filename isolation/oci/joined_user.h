// A user namespace that is joined by path: which ids it maps is not the configuration's to say.
#pragma once

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// Opens it and puts its mappings into `config`; mappings that stand there already must be the same,
// and the process's own ids among them. Invalid: none is joined. Single-threaded, with root's
// rights.
Result<UniqueFd> OpenJoinedUser(Config* config);

}  // namespace skiff::isolation::oci
