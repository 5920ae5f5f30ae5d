// What skiff needs of a host, one check each. Nothing on the host is changed: what has to be tried
// is tried in a namespace or directory of its own. Single-threaded callers.
#pragma once

#include <string>
#include <vector>

#include "runtime/plan/paths.h"
#include "tools/skiff/doctor_report.h"

namespace skiff::tools {

std::vector<Finding> CheckHost(const runtime::Roots& roots);

// 5.15 of "5.15.0-91-generic" is at least 5.14. Pure.
bool IsKernelAtLeast(const std::string& release, unsigned major, unsigned minor);

}  // namespace skiff::tools
