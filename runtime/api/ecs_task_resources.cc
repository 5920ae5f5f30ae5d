// What a call touches, for the statements of a policy. A call whose names cannot be read or mean
// nothing is refused by the operation itself; until then "*" asks for the widest right.
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/task_definition_ref.h"

namespace skiff::runtime::api {
namespace {

// One ARN a task: `task` is one name, `tasks` several.
Result<std::vector<std::string>> TaskArns(const JsonCursor& input,
                                          const ControlSettings& settings) {
  std::string cluster = TRY(ClusterName(input, settings));
  std::vector<std::string> names = TRY(input.FindStrings("tasks"));
  std::string single = TRY(TextIn(input, "task", ""));
  if (!single.empty()) names.push_back(single);
  std::vector<std::string> arns;
  for (const std::string& name : names) {
    std::string id = TRY(TaskIdIn(name, cluster, settings));
    arns.push_back(TaskArn(settings, cluster, id));
  }
  return arns;
}

// The very revision: a statement about web:2 must hold for "web" when that is the newest.
Result<std::vector<std::string>> DefinitionArn(const JsonCursor& input, Store& store,
                                               const ControlSettings& settings) {
  std::string name = TRY(TextIn(input, "taskDefinition", ""));
  TaskDefinitionRecord found = TRY(FindActiveDefinition(store, settings, name));
  return std::vector<std::string>{
      TaskDefinitionArn(settings, found.definition.family, found.revision)};
}

Result<std::vector<std::string>> ClusterArns(const JsonCursor& input,
                                             const ControlSettings& settings) {
  std::string cluster = TRY(ClusterName(input, settings));
  return std::vector<std::string>{ClusterArn(settings, cluster)};
}

}  // namespace

std::vector<std::string> TaskService::RunTaskResources(const Call& call) const {
  return DefinitionArn(call.input, store, settings).ValueOr({});
}

std::vector<std::string> TaskService::TaskResources(const Call& call) const {
  return TaskArns(call.input, settings).ValueOr({});
}

std::vector<std::string> TaskService::ClusterResources(const Call& call) const {
  return ClusterArns(call.input, settings).ValueOr({});
}

}  // namespace skiff::runtime::api
