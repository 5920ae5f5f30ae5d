#include <algorithm>

#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

Result<bool> WantsTags(const JsonCursor& input) {
  std::vector<std::string> include = TRY(input.FindStrings("include"));
  for (const std::string& word : include) {
    if (word != "TAGS") return InvalidParameter("include: \"" + word + "\" is none of TAGS");
  }
  return !include.empty();
}

}  // namespace

Result<std::string> TaskService::DescribeTasks(const Call& call) {
  TRY(RefuseUnknown(call.input, {"cluster", "tasks", "include"}));
  bool with_tags = TRY(WantsTags(call.input));
  ClusterRecord cluster = TRY(FindCluster(call.input));
  std::vector<std::string> ids = TRY(TaskIdsIn(call.input, cluster.name, settings));
  if (ids.empty()) return InvalidParameter("Tasks cannot be empty.");
  std::vector<std::string> texts;
  std::vector<Failure> failures;
  for (const std::string& id : ids) {
    std::optional<std::string> text = TRY(Describe(cluster.name, id, with_tags));
    if (text) {
      texts.push_back(*std::move(text));
    } else {
      failures.push_back(MissingTask(settings, cluster.name, id));
    }
  }
  return AnswerWithFailures("tasks", texts, failures);
}

// The way without decoding: a record whose version was rendered before needs no second look.
Result<std::optional<std::string>> TaskService::Describe(const std::string& cluster,
                                                         const std::string& id, bool with_tags) {
  Result<TaskId> parsed = TaskId::Parse(id);
  if (!parsed.ok()) return std::optional<std::string>();
  std::optional<StoredRecord> stored = TRY(store.Get(keys::Task(parsed.value())));
  if (!stored) return std::optional<std::string>();
  const TaskText* kept = rendered.Find(id, stored->version);
  if (kept != nullptr && kept->cluster == cluster) {
    return std::optional<std::string>(WholeText(*kept, with_tags));
  }
  std::optional<StoredTask> task = TRY(FindTask(cluster, id));
  if (!task) return std::optional<std::string>();
  std::string text = TRY(Render(*task, with_tags));
  return std::optional<std::string>(std::move(text));
}

}  // namespace skiff::runtime::api
