// A seccomp profile, in the JSON of OCI, that allows the calls a container was seen to make. Pure.
#pragma once

#include <string>

#include "isolation/seccomp_trace.h"

namespace skiff::tools {

// Besides `calls` what every program needs to begin, to return from signals and to end. What the
// default profile allows by an argument stays so: clone without namespaces, the socket families
// that were seen. Everything else answers ENOSYS.
std::string EncodeSyscallProfile(const isolation::TracedCalls& calls);

}  // namespace skiff::tools
