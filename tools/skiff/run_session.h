// One task from its start to its end, as `skiff run` and the commands built on it carry it out.
#pragma once

#include <functional>

#include "isolation/base/result.h"
#include "tools/skiff/options.h"
#include "tools/skiff/records.h"

namespace skiff::tools {

// Called with a foreground task that has stopped, before its record is removed.
using LookAtEnd = std::function<Result<>(const TaskRecord& record)>;

// The exit status; `look` may be null.
Result<int> RunTask(const Run& options, const runtime::Roots& roots, const LookAtEnd& look);

}  // namespace skiff::tools
