// What a plan needs to know of this machine.
#pragma once

#include "isolation/base/result.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

Result<HostFacts> ReadHostFacts();

// MemTotal of /proc/meminfo's text; kUnavailable when it has none.
Result<Bytes> ParseTotalMemory(std::string_view meminfo);

}  // namespace skiff::runtime
