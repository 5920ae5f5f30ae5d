// Task protection: kept with the task until it expires. Who scales services in must mind it.
#include "isolation/base/clock.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/model/json_text.h"

namespace skiff::runtime::api {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;

struct ProtectionRequest {
  bool is_enabled = false;
  int64_t minutes = kDefaultProtectionMinutes;
};

Result<ProtectionRequest> ReadUpdate(const JsonCursor& input) {
  TRY(RefuseUnknown(input, {"cluster", "tasks", "protectionEnabled", "expiresInMinutes"}));
  ProtectionRequest request;
  std::optional<bool> is_enabled = TRY(input.FindBoolean("protectionEnabled"));
  if (!is_enabled) return InvalidParameter("protectionEnabled: is required");
  request.is_enabled = *is_enabled;
  std::optional<int64_t> minutes = TRY(input.FindInteger("expiresInMinutes"));
  request.minutes = minutes.value_or(kDefaultProtectionMinutes);
  if (request.minutes < 1 || request.minutes > kMaxProtectionMinutes) {
    return InvalidParameter("expiresInMinutes: is not between 1 and " +
                            std::to_string(kMaxProtectionMinutes));
  }
  return request;
}

std::string ProtectedText(const TaskRecord& record, const ControlSettings& settings) {
  bool is_protected = record.protected_until && *record.protected_until > WallNanoseconds();
  std::string text;
  MemberWriter writer(text);
  writer("taskArn", TaskArn(settings, record.cluster, record.observed.id.text()));
  writer.Always("protectionEnabled", is_protected);
  if (is_protected) writer.Raw("expirationDate", TimeText(*record.protected_until));
  writer.Close();
  return text;
}

}  // namespace

Result<std::string> TaskService::UpdateTaskProtection(const Call& call) {
  ProtectionRequest request = TRY(ReadUpdate(call.input));
  ClusterRecord cluster = TRY(FindCluster(call.input));
  std::vector<std::string> ids = TRY(TaskIdsIn(call.input, cluster.name, settings));
  if (ids.empty() || ids.size() > kMaxProtectedTasks) {
    return InvalidParameter("tasks: has not 1 to " + std::to_string(kMaxProtectedTasks) +
                            " elements");
  }
  auto protect = [&](TaskRecord& record) {
    if (record.desired_status == DesiredStatus::kStopped) return false;
    record.protected_until.reset();
    if (request.is_enabled) {
      record.protected_until = WallNanoseconds() + request.minutes * kMinuteNs;
    }
    return true;
  };
  std::vector<std::string> texts;
  std::vector<Failure> failures;
  for (const std::string& id : ids) {
    std::optional<StoredTask> task = TRY(Change(cluster.name, id, protect));
    if (!task) {
      failures.push_back(MissingTask(settings, cluster.name, id));
    } else if (task->record.desired_status == DesiredStatus::kStopped) {
      failures.push_back({TaskArn(settings, cluster.name, id), "TASK_NOT_VALID",
                          "the task is stopping or stopped"});
    } else {
      texts.push_back(ProtectedText(task->record, settings));
    }
  }
  return AnswerWithFailures("protectedTasks", texts, failures);
}

Result<std::string> TaskService::GetTaskProtection(const Call& call) {
  TRY(RefuseUnknown(call.input, {"cluster", "tasks"}));
  ClusterRecord cluster = TRY(FindCluster(call.input));
  std::vector<std::string> ids = TRY(TaskIdsIn(call.input, cluster.name, settings));
  if (ids.empty()) return InvalidParameter("Tasks cannot be empty.");
  std::vector<std::string> texts;
  std::vector<Failure> failures;
  for (const std::string& id : ids) {
    std::optional<StoredTask> task = TRY(FindTask(cluster.name, id));
    if (task) {
      texts.push_back(ProtectedText(task->record, settings));
    } else {
      failures.push_back(MissingTask(settings, cluster.name, id));
    }
  }
  return AnswerWithFailures("protectedTasks", texts, failures);
}

}  // namespace skiff::runtime::api
