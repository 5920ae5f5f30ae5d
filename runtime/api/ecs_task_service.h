// What the task operations share (ecs_tasks.h): the store, names, the accounting of the host and
// the rendered tasks. Inside runtime/api only; one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/api/operation.h"
#include "runtime/api/task_text.h"
#include "runtime/control/placement.h"
#include "runtime/control/records.h"
#include "runtime/control/settings.h"
#include "runtime/control/task_record.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

struct StoredTask {
  TaskRecord record;
  uint64_t version = 0;
};

class TaskService {
 public:
  TaskService(Store& opened, const ControlSettings& given)
      : store(opened), settings(given), placement(opened) {}

  Result<std::string> RunTask(const Call& call);
  Result<std::string> StopTask(const Call& call);
  Result<std::string> DescribeTasks(const Call& call);
  Result<std::string> ListTasks(const Call& call);
  Result<std::string> UpdateTaskProtection(const Call& call);
  Result<std::string> GetTaskProtection(const Call& call);

  // The ARNs that the calls touch.
  std::vector<std::string> RunTaskResources(const Call& call) const;
  std::vector<std::string> TaskResources(const Call& call) const;
  std::vector<std::string> ClusterResources(const Call& call) const;

  // The cluster that input's `cluster` names; ClusterNotFoundException unless it is ACTIVE.
  Result<ClusterRecord> FindCluster(const JsonCursor& input);
  // nullopt: no such task in the cluster. A record that cannot be read is quarantined.
  Result<std::optional<StoredTask>> FindTask(const std::string& cluster, const std::string& id);
  Result<std::string> Render(const StoredTask& task, bool with_tags);
  // Commits what `edit` makes of the task, again and again while the agent changes it too. `edit`
  // gives false when nothing is to be changed. nullopt: no such task.
  Result<std::optional<StoredTask>> Change(const std::string& cluster, const std::string& id,
                                           const std::function<bool(TaskRecord&)>& edit);

  Store& store;
  const ControlSettings settings;
  Placement placement;
  TaskTextCache rendered;
  std::string token_cursor;  // the last client token that was looked at for its age

 private:
  Result<std::optional<std::string>> Describe(const std::string& cluster, const std::string& id,
                                              bool with_tags);
};

// InvalidParameterException.
Error InvalidParameter(std::string message);
// ClientException.
Error ClientError(std::string message);
// Members that may be absent or null.
Result<std::string> TextIn(const JsonCursor& input, std::string_view name,
                           std::string_view fallback);
Result<int64_t> IntegerIn(const JsonCursor& input, std::string_view name, int64_t fallback,
                          int64_t min = INT64_MIN, int64_t max = INT64_MAX);
Result<bool> FlagIn(const JsonCursor& input, std::string_view name);  // absent: false
// Refuses the first member of `input` that is not known, by name.
Result<> RefuseUnknown(const JsonCursor& input, std::initializer_list<std::string_view> known);

// The id that `task`, a bare one or an ARN of this account, region and cluster, names.
Result<std::string> TaskIdIn(const std::string& task, const std::string& cluster,
                             const ControlSettings& settings);
// Of the operations' `tasks`: at most 100.
Result<std::vector<std::string>> TaskIdsIn(const JsonCursor& input, const std::string& cluster,
                                           const ControlSettings& settings);

// "default" of "default", "" or the cluster's ARN; ClusterNotFoundException for what can be none.
Result<std::string> ClusterName(const JsonCursor& input, const ControlSettings& settings);

// The cluster that input's `cluster` names; ClusterNotFoundException unless it is ACTIVE.
Result<ClusterRecord> FindActiveCluster(Store& store, const JsonCursor& input,
                                        const ControlSettings& settings);

// {"arn": ..., "reason": ...}
struct Failure {
  std::string arn;
  std::string reason;
  std::string detail;
};
// {"<list>":[texts],"failures":[...]}
std::string AnswerWithFailures(std::string_view list, const std::vector<std::string>& texts,
                               const std::vector<Failure>& failures);
Failure MissingTask(const ControlSettings& settings, const std::string& cluster,
                    const std::string& id);

}  // namespace skiff::runtime::api
