// --isolation key=value,...: single layers of a task's confinement, off, on or otherwise. Reads
// the file that seccomp= names.
#pragma once

#include <string>

#include "isolation/base/result.h"
#include "runtime/plan/confinement.h"

namespace skiff::tools {

//   seccomp=default|none|FILE    FILE: a profile in the JSON of OCI (linux.seccomp) or Docker
//   caps=default|none|all|A+B    before the definition's own add and drop; default+A adds
//   nnp=on|off                   no_new_privs
//   masked-paths=on|off          what of /proc and /sys is hidden or read-only
//   userns=off, landlock=off, pidns=private    what is; the other words are refused by name
// Sets what `text` names and leaves the rest as it is.
Result<> ParseIsolation(const std::string& text, runtime::IsolationOptions* options);

}  // namespace skiff::tools
