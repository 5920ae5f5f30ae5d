#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/task_change.h"

namespace skiff::runtime::api {
namespace {

struct StopRequest {
  std::string task;
  std::string reason;
};

Result<StopRequest> ReadStopTask(const JsonCursor& input) {
  TRY(RefuseUnknown(input, {"cluster", "task", "reason"}));
  StopRequest request;
  request.task = TRY(TextIn(input, "task", ""));
  if (request.task.empty()) return InvalidParameter("task: is required");
  request.reason = TRY(TextIn(input, "reason", ""));
  if (request.reason.empty()) request.reason = "Task stopped by user";
  if (request.reason.size() > kMaxStopReasonLength) {
    return InvalidParameter("reason: has more than " + std::to_string(kMaxStopReasonLength) +
                            " characters");
  }
  return request;
}

}  // namespace

// The first reason is kept: stopping a task again changes nothing.
Result<std::string> TaskService::StopTask(const Call& call) {
  StopRequest request = TRY(ReadStopTask(call.input));
  ClusterRecord cluster = TRY(FindCluster(call.input));
  std::string id = TRY(TaskIdIn(request.task, cluster.name, settings));
  auto stop = [&](TaskRecord& record) {
    if (record.desired_status == DesiredStatus::kStopped) return false;
    record.desired_status = DesiredStatus::kStopped;
    record.stop_code = StopCode::kUserInitiated;
    record.stop_reason = request.reason;
    return true;
  };
  std::optional<StoredTask> task = TRY(Change(cluster.name, id, stop));
  if (!task) return InvalidParameter("The referenced task was not found.");
  std::string text = TRY(Render(*task, true));
  return "{\"task\":" + text + "}";
}

Result<std::optional<StoredTask>> TaskService::Change(
    const std::string& cluster, const std::string& id,
    const std::function<bool(TaskRecord&)>& edit) {
  for (int attempt = 0; attempt < kMaxWriteAttempts; ++attempt) {
    std::optional<StoredTask> task = TRY(FindTask(cluster, id));
    if (!task) return task;
    TaskRecord after = task->record;
    if (!edit(after)) return task;
    Result<uint64_t> version =
        store.Commit(ChangeTask(task->record, task->version, after), Durability::kAccepted);
    if (version.ok()) {
      return std::optional<StoredTask>(StoredTask{std::move(after), version.value()});
    }
    // The agent was quicker: look again.
    if (version.error().code() != Code::kConflict) return std::move(version).error();
  }
  return Error(Code::kUnavailable, "task " + id + ": changes too quickly: try again")
      .WithKind("ServerException");
}

}  // namespace skiff::runtime::api
