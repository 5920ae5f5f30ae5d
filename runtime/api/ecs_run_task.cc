// RunTask itself: resolves names, asks the accounting, writes everything in one commit.
#include "runtime/api/ecs_run_task.h"

#include <utility>

#include "isolation/base/clock.h"
#include "runtime/api/client_token.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/api/task_definition_ref.h"
#include "runtime/control/keys.h"
#include "runtime/control/task_change.h"

namespace skiff::runtime::api {
namespace {

// Everything that the tasks of one request have in common.
struct Plan {
  const RunTaskRequest& request;
  const ClusterRecord& cluster;
  const TaskDefinitionRecord& definition;
  TaskDefinition effective;  // overrides applied
  TaskShare share;
  std::vector<Launch> launches;
  HostRecord host;
};

Result<HostRecord> LoadHost(Store& store) {
  std::optional<StoredRecord> stored = TRY(store.Get(keys::kHost));
  if (!stored) {
    return Error(Code::kUnavailable, "the host's agent has not reported yet: try again")
        .WithKind("ServerException");
  }
  return DecodeHost(stored->value);
}

Result<Plan> MakePlan(TaskService& service, const RunTaskRequest& request,
                      const ClusterRecord& cluster, const TaskDefinitionRecord& definition) {
  Result<TaskDefinition> applied = ApplyOverrides(definition.definition, request.overrides);
  if (!applied.ok()) return InvalidParameter(applied.error().message());
  Plan plan{request, cluster, definition, std::move(applied).value(), {}, {}, {}};
  plan.launches = TRY(ChooseLaunches(request, cluster, plan.effective));
  TRY(ChoosePlatform(request.platform_version, plan.launches.front()));
  TRY(CheckCompatible(plan.effective, plan.launches.front()));
  TRY(CheckNetwork(request.network, plan.effective, plan.launches.front()));
  plan.share = ShareOf(plan.effective);
  plan.host = TRY(LoadHost(service.store));
  return plan;
}

std::vector<TaskContainer> PendingContainers(const TaskDefinition& definition) {
  std::vector<TaskContainer> containers;
  for (const ContainerDefinition& container : definition.containers) {
    containers.push_back({.name = container.name, .image = container.image});
  }
  return containers;
}

void FillNetwork(const Plan& plan, TaskRecord& record) {
  if (EffectiveNetworkMode(plan.effective) != NetworkMode::kAwsvpc) return;
  NetworkRequest network =
      plan.request.network.value_or(NetworkRequest{.subnets = {std::string(kDefaultSubnet)}});
  record.subnets = std::move(network.subnets);
  record.security_groups = std::move(network.security_groups);
  if (record.security_groups.empty()) record.security_groups = {std::string(kDefaultSecurityGroup)};
  record.assign_public_ip = network.assign_public_ip;
}

void FillSizes(const Plan& plan, TaskRecord& record) {
  record.cpu = std::to_string(plan.share.cpu);
  record.memory = std::to_string(plan.share.memory);
}

TaskRecord MakeTask(const Plan& plan, const Launch& launch) {
  const RunTaskRequest& request = plan.request;
  TaskRecord record(TaskId::Generate());
  record.cluster = plan.cluster.name;
  record.family = plan.definition.definition.family;
  record.revision = plan.definition.revision;
  record.overrides = request.overrides;
  record.tags = MergeTags(request, plan.definition, plan.cluster.name);
  record.started_by = request.started_by;
  record.group = request.group.empty() ? "family:" + record.family : request.group;
  record.launch_type = launch.launch_type;
  record.capacity_provider = launch.capacity_provider;
  record.platform_version = launch.IsFargate() ? std::string(kPlatformVersion) : "";
  record.host_id = plan.host.id;
  record.created_at = WallNanoseconds();
  FillSizes(plan, record);
  FillNetwork(plan, record);
  record.observed.family = record.family;
  record.observed.containers = PendingContainers(plan.effective);
  record.observed.version = 1;
  return record;
}

struct Outcome {
  std::vector<TaskRecord> tasks;
  std::vector<Failure> failures;
};

// As many as fit; a failure for each of the others.
Result<Outcome> Place(TaskService& service, const Plan& plan) {
  HostUse used = TRY(service.placement.Use());
  Outcome outcome;
  for (const Launch& launch : plan.launches) {
    std::optional<std::string_view> missing = MissingResource(plan.host, used, plan.share);
    if (missing) {
      std::string arn = ContainerInstanceArn(service.settings, plan.cluster.name, plan.host.id);
      outcome.failures.push_back({arn, std::string(*missing), ""});
      continue;
    }
    used.Add(plan.share);
    outcome.tasks.push_back(MakeTask(plan, launch));
  }
  return outcome;
}

Result<std::string> Answer(TaskService& service, const Outcome& outcome,
                           const TaskDefinition& definition, uint64_t version) {
  std::vector<std::string> texts;
  for (const TaskRecord& task : outcome.tasks) {
    TaskText text = RenderTask(task, &definition, service.settings);
    texts.push_back(
        WholeText(service.rendered.Keep(task.observed.id.text(), version, std::move(text)), true));
  }
  return AnswerWithFailures("tasks", texts, outcome.failures);
}

// What the first request with this token was answered, as the tasks are now.
Result<std::string> AnswerAgain(TaskService& service, const std::string& cluster,
                                const ClientToken& token) {
  std::vector<std::string> texts;
  std::vector<Failure> failures;
  for (const std::string& id : token.tasks) {
    std::optional<StoredTask> task = TRY(service.FindTask(cluster, id));
    if (!task) {
      failures.push_back(MissingTask(service.settings, cluster, id));
      continue;
    }
    std::string text = TRY(service.Render(*task, true));
    texts.push_back(std::move(text));
  }
  return AnswerWithFailures("tasks", texts, failures);
}

Error TokenConflict(const ControlSettings& settings, const std::string& cluster,
                    const ClientToken& token) {
  std::string arns;
  for (const std::string& id : token.tasks) {
    arns += (arns.empty() ? "" : ", ") + TaskArn(settings, cluster, id);
  }
  return Error(Code::kConflict,
               "The clientToken was used for another request. resourceIds: [" + arns + "]")
      .WithKind("ConflictException");
}

Result<uint64_t> Write(TaskService& service, const Plan& plan, const Outcome& outcome) {
  std::vector<RecordWrite> writes;
  ClientToken token{plan.request.fingerprint, {}, WallNanoseconds()};
  for (const TaskRecord& task : outcome.tasks) {
    for (RecordWrite& write : CreateTask(task, plan.share)) writes.push_back(std::move(write));
    token.tasks.push_back(task.observed.id.text());
  }
  // A request that started nothing may be repeated when there is room.
  if (token.tasks.empty()) return uint64_t{0};
  if (!plan.request.client_token.empty()) {
    writes.push_back(
        {keys::ClientToken(plan.cluster.name, plan.request.client_token), Encode(token), 0});
    std::vector<RecordWrite> old =
        TRY(ExpiredTokens(service.store, service.token_cursor, token.created_at));
    for (RecordWrite& write : old) writes.push_back(std::move(write));
  }
  return service.store.Commit(writes, Durability::kAccepted);
}

}  // namespace

Result<std::string> TaskService::RunTask(const Call& call) {
  RunTaskRequest request = TRY(ReadRunTask(call.input));
  ClusterRecord cluster = TRY(FindCluster(call.input));
  std::optional<ClientToken> known =
      TRY(FindClientToken(store, cluster.name, request.client_token));
  if (known) {
    if (known->fingerprint != request.fingerprint) {
      return TokenConflict(settings, cluster.name, *known);
    }
    return AnswerAgain(*this, cluster.name, *known);
  }
  TaskDefinitionRecord definition =
      TRY(FindActiveDefinition(store, settings, request.task_definition));
  Plan plan = TRY(MakePlan(*this, request, cluster, definition));
  Outcome outcome = TRY(Place(*this, plan));
  uint64_t version = TRY(Write(*this, plan, outcome));
  return Answer(*this, outcome, definition.definition, version);
}

}  // namespace skiff::runtime::api
