// Whether this host's kernel can confine as a configuration asks: what it cannot is an error before
// anything is made.
#pragma once

#include "isolation/base/result.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// kUnavailable, with the member's name, for an AppArmor profile or a label of SELinux that nobody
// would enforce. The profile "unconfined" asks for nothing then, and is taken out.
Result<> SettleSecurityLabels(Process* process);
Result<> CheckMountLabel(const Config& config);

}  // namespace skiff::isolation::oci
