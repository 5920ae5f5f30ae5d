// The tasks whose lastStatus is not STOPPED yet. Inside runtime/api only; one thread.
#pragma once

#include <functional>
#include <string_view>

#include "isolation/base/result.h"
#include "runtime/control/task_record.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

// Calls `visit` with each, by id; one that cannot be read is passed over.
Result<> VisitActiveTasks(Store& store, const std::function<void(const TaskRecord&)>& visit);

}  // namespace skiff::runtime::api
