// Names and records that all task operations resolve alike.
#include "runtime/api/ecs_task_service.h"

#include <algorithm>

#include "runtime/api/ecs_tasks.h"
#include "runtime/api/limits.h"
#include "runtime/api/task_definition_ref.h"
#include "runtime/control/keys.h"
#include "runtime/model/json_text.h"

namespace skiff::runtime::api {
namespace {

Error ClusterNotFound() {
  return Error(Code::kNotFound, "Cluster not found.").WithKind("ClusterNotFoundException");
}

std::string Text(const Failure& failure) {
  std::string text;
  MemberWriter writer(text);
  writer("arn", failure.arn);
  writer("reason", failure.reason);
  writer("detail", failure.detail);
  writer.Close();
  return text;
}

void AppendList(std::string& answer, const std::vector<std::string>& texts) {
  answer += '[';
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) answer += ',';
    answer += texts[i];
  }
  answer += ']';
}

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

Result<std::string> CheckTaskId(const std::string& id) {
  if (id.size() > kMaxTaskIdLength) {
    return InvalidParameter("taskId longer than " + std::to_string(kMaxTaskIdLength) + ".");
  }
  if (id.empty() || !std::all_of(id.begin(), id.end(), IsIdCharacter)) {
    return InvalidParameter("Invalid identifier: \"" + id + "\" is no task id");
  }
  return id;
}

}  // namespace

Error InvalidParameter(std::string message) {
  return Error(Code::kInvalid, std::move(message)).WithKind("InvalidParameterException");
}

Error ClientError(std::string message) {
  return Error(Code::kInvalid, std::move(message)).WithKind("ClientException");
}

Result<std::string> TextIn(const JsonCursor& input, std::string_view name,
                           std::string_view fallback) {
  std::optional<std::string> text = TRY(input.FindString(name));
  return text ? *std::move(text) : std::string(fallback);
}

Result<int64_t> IntegerIn(const JsonCursor& input, std::string_view name, int64_t fallback,
                          int64_t min, int64_t max) {
  std::optional<int64_t> number = TRY(input.FindInteger(name, min, max));
  return number.value_or(fallback);
}

Result<bool> FlagIn(const JsonCursor& input, std::string_view name) {
  std::optional<bool> flag = TRY(input.FindBoolean(name));
  return flag.value_or(false);
}

Result<> RefuseUnknown(const JsonCursor& input, std::initializer_list<std::string_view> known) {
  std::vector<std::string> unknown = input.UnknownMembers(known);
  if (unknown.empty()) return {};
  return InvalidParameter(unknown.front() + ": unknown parameter");
}

Result<std::string> TaskIdIn(const std::string& task, const std::string& cluster,
                             const ControlSettings& settings) {
  if (!task.starts_with("arn:")) return CheckTaskId(task);
  std::string prefix = TaskArn(settings, "", "");
  prefix.pop_back();  // "arn:...:task/"
  if (!task.starts_with(prefix)) {
    return InvalidParameter("Invalid identifier: " + task + " is no task of account " +
                            settings.account_id + " in " + settings.region);
  }
  std::string rest = task.substr(prefix.size());
  size_t slash = rest.find('/');
  if (slash == std::string::npos) return CheckTaskId(rest);  // the form before 2019
  if (rest.substr(0, slash) != cluster) {
    return InvalidParameter("Invalid identifier: Identifier is for cluster " +
                            rest.substr(0, slash) + ". Your cluster is " + cluster);
  }
  return CheckTaskId(rest.substr(slash + 1));
}

Result<std::vector<std::string>> TaskIdsIn(const JsonCursor& input, const std::string& cluster,
                                           const ControlSettings& settings) {
  std::vector<std::string> tasks = TRY(input.FindStrings("tasks"));
  if (tasks.size() > kMaxDescribedTasks) {
    return InvalidParameter("Tasks cannot have more than " + std::to_string(kMaxDescribedTasks) +
                            " elements");
  }
  std::vector<std::string> ids;
  for (const std::string& task : tasks) {
    std::string id = TRY(TaskIdIn(task, cluster, settings));
    ids.push_back(std::move(id));
  }
  return ids;
}

std::string AnswerWithFailures(std::string_view list, const std::vector<std::string>& texts,
                               const std::vector<Failure>& failures) {
  std::string answer = "{\"" + std::string(list) + "\":";
  AppendList(answer, texts);
  answer += ",\"failures\":";
  std::vector<std::string> failure_texts;
  for (const Failure& failure : failures) failure_texts.push_back(Text(failure));
  AppendList(answer, failure_texts);
  return answer + "}";
}

Failure MissingTask(const ControlSettings& settings, const std::string& cluster,
                    const std::string& id) {
  return {TaskArn(settings, cluster, id), "MISSING", ""};
}

Result<std::string> ClusterName(const JsonCursor& input, const ControlSettings& settings) {
  std::string text = TRY(TextIn(input, "cluster", ""));
  if (text.empty()) return std::string("default");
  std::string name = text;
  if (text.starts_with("arn:")) {
    std::string prefix = ClusterArn(settings, "");
    if (!text.starts_with(prefix)) return ClusterNotFound();
    name = text.substr(prefix.size());
  }
  if (name.find('/') != std::string::npos) return ClusterNotFound();
  return name;
}

Result<ClusterRecord> TaskService::FindCluster(const JsonCursor& input) {
  return FindActiveCluster(store, input, settings);
}

Result<ClusterRecord> FindActiveCluster(Store& store, const JsonCursor& input,
                                        const ControlSettings& settings) {
  std::string name = TRY(ClusterName(input, settings));
  std::string key = keys::Cluster(name);
  std::optional<StoredRecord> stored = TRY(store.Get(key));
  if (!stored) return ClusterNotFound();
  Result<ClusterRecord> cluster = DecodeCluster(stored->value);
  if (!cluster.ok()) {
    TRY(store.Quarantine(key, cluster.error().message()));
    return ClusterNotFound();
  }
  if (cluster.value().is_active) return cluster;
  return Error(Code::kNotFound, "The referenced cluster was inactive.")
      .WithKind("ClusterNotFoundException");
}

Result<std::optional<StoredTask>> TaskService::FindTask(const std::string& cluster,
                                                        const std::string& id) {
  Result<TaskId> parsed = TaskId::Parse(id);
  if (!parsed.ok()) return std::optional<StoredTask>();  // never given out
  std::string key = keys::Task(parsed.value());
  std::optional<StoredRecord> stored = TRY(store.Get(key));
  if (!stored) return std::optional<StoredTask>();
  Result<TaskRecord> record = DecodeTask(stored->value);
  if (!record.ok()) {
    TRY(store.Quarantine(key, record.error().message()));
    return std::optional<StoredTask>();
  }
  if (record.value().cluster != cluster) return std::optional<StoredTask>();
  return std::optional<StoredTask>(StoredTask{std::move(record).value(), stored->version});
}

Result<std::string> TaskService::Render(const StoredTask& task, bool with_tags) {
  const std::string& id = task.record.observed.id.text();
  if (const TaskText* kept = rendered.Find(id, task.version)) return WholeText(*kept, with_tags);
  std::optional<TaskDefinitionRecord> definition =
      TRY(FindDefinition(store, task.record.family, task.record.revision));
  TaskText text = RenderTask(task.record, definition ? &definition->definition : nullptr, settings);
  return WholeText(rendered.Keep(id, task.version, std::move(text)), with_tags);
}

TaskOperations::TaskOperations(Store& store, const ControlSettings& settings)
    : service_(std::make_unique<TaskService>(store, settings)) {}

TaskOperations::~TaskOperations() = default;

void TaskOperations::AddTo(OperationTable& table) {
  using Run = Result<std::string> (TaskService::*)(const Call&);
  using Resources = std::vector<std::string> (TaskService::*)(const Call&) const;
  auto add = [&](const char* name, Run run, Resources resources) {
    TaskService* service = service_.get();
    table.operations[name] = {
        [service, run](const Call& call) { return (service->*run)(call); },
        [service, resources](const Call& call) { return (service->*resources)(call); }};
  };
  add("RunTask", &TaskService::RunTask, &TaskService::RunTaskResources);
  add("StopTask", &TaskService::StopTask, &TaskService::TaskResources);
  add("DescribeTasks", &TaskService::DescribeTasks, &TaskService::TaskResources);
  add("ListTasks", &TaskService::ListTasks, &TaskService::ClusterResources);
  add("UpdateTaskProtection", &TaskService::UpdateTaskProtection, &TaskService::TaskResources);
  add("GetTaskProtection", &TaskService::GetTaskProtection, &TaskService::TaskResources);
}

void TaskOperations::Forget() {
  service_->placement.Forget();
  service_->rendered.Clear();
}

}  // namespace skiff::runtime::api
