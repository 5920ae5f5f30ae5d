// This machine as the store has it: what RunTask places tasks by. One thread.
#pragma once

#include <string>

#include "isolation/base/result.h"
#include "runtime/control/records.h"
#include "runtime/plan/task_plan.h"
#include "runtime/store/store.h"

namespace skiff::runtime {

// What tasks may have of a host with so much memory: the rest is the host's own. Pure.
Bytes MemoryForTasks(Bytes total);

// Writes what is true now; the id and the time of registration stay those of the first time.
Result<> WriteHostRecord(Store& store, const std::string& data_root, const HostFacts& facts);

}  // namespace skiff::runtime
