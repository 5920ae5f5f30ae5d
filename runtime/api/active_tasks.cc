#include "runtime/api/active_tasks.h"

#include "runtime/api/limits.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {

Result<> VisitActiveTasks(Store& store, const std::function<void(const TaskRecord&)>& visit) {
  RangeRequest request{.prefix = keys::kActive, .after = "", .limit = kMaxEntriesScanned};
  for (;;) {
    std::vector<StoredRecord> batch = TRY(store.Range(request));
    for (const StoredRecord& entry : batch) {
      std::string id = entry.key.substr(request.prefix.size());
      std::optional<StoredRecord> stored = TRY(store.Get(keys::kTasks + id));
      if (!stored) continue;
      Result<TaskRecord> task = DecodeTask(stored->value);
      if (task.ok()) visit(task.value());
    }
    if (batch.size() < request.limit) return {};
    request.after = batch.back().key;
  }
}

}  // namespace skiff::runtime::api
