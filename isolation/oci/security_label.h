// What of a configuration's labels this host's kernel would not enforce is taken out, with a
// warning, as crun has it: podman and others write configurations without knowing the host.
#pragma once

#include <string>
#include <vector>

#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// An AppArmor profile or a label of SELinux, where the kernel has not the module. That a profile is
// not loaded where it has is an error of the start. "unconfined" asks for nothing: no warning.
void SettleSecurityLabels(Process* process, std::vector<std::string>* warnings);
void SettleMountLabel(Config* config);  // warns among the configuration's

}  // namespace skiff::isolation::oci
