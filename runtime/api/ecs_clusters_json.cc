// Clusters.
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "runtime/api/active_tasks.h"
#include "runtime/api/ecs_account_settings.h"
#include "runtime/api/ecs_cluster_members.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"
#include "runtime/control/task_record.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

bool IsIdentifier(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdentifierLength &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

Json TagList(const std::vector<Tag>& tags) {
  Json list = Json::array();
  for (const Tag& tag : tags) list.push_back({{"key", tag.key}, {"value", tag.value}});
  return list;
}

struct TaskCounts {
  int running_fargate = 0;
  int pending_fargate = 0;
  int running_ec2 = 0;
  int pending_ec2 = 0;
  int running() const { return running_fargate + running_ec2; }
  int pending() const { return pending_fargate + pending_ec2; }
  int ec2() const { return running_ec2 + pending_ec2; }
};

// The default cluster has this host for an instance; another cluster while a task of the launch
// type EC2 is on it.
bool HasContainerInstance(std::string_view cluster, int ec2_tasks) {
  return cluster == "default" || ec2_tasks > 0;
}

void AddConfiguration(const ClusterRecord& record, Json* cluster) {
  if (!record.configuration.empty()) {
    (*cluster)["configuration"] = Json::parse(record.configuration, nullptr, false);
  }
}

Json ClusterJson(const ClusterRecord& record, const ControlSettings& settings,
                 const TaskCounts& counts) {
  Json strategy = Json::array();
  for (const CapacityProviderItem& item : record.default_strategy) {
    strategy.push_back(
        {{"capacityProvider", item.name}, {"weight", item.weight}, {"base", item.base}});
  }
  Json cluster = {{"clusterArn", ClusterArn(settings, record.name)},
                  {"clusterName", record.name},
                  {"status", record.is_active ? "ACTIVE" : "INACTIVE"},
                  {"registeredContainerInstancesCount",
                   HasContainerInstance(record.name, counts.ec2()) ? 1 : 0},
                  {"runningTasksCount", counts.running()},
                  {"pendingTasksCount", counts.pending()},
                  {"activeServicesCount", 0},
                  {"statistics", Json::array()},
                  {"tags", Json::array()},
                  {"settings", Json::array()},
                  {"capacityProviders", record.capacity_providers},
                  {"defaultCapacityProviderStrategy", std::move(strategy)}};
  if (!record.service_connect.empty()) {
    cluster["serviceConnectDefaults"] = {{"namespace", record.service_connect}};
  }
  return cluster;
}

// What ECS itself counts by launch type; no services run here.
Json StatisticsOf(const TaskCounts& counts) {
  Json list = Json::array();
  auto add = [&](const char* name, int value) {
    list.push_back({{"name", name}, {"value", std::to_string(value)}});
  };
  add("runningEC2TasksCount", counts.running_ec2);
  add("runningFargateTasksCount", counts.running_fargate);
  add("pendingEC2TasksCount", counts.pending_ec2);
  add("pendingFargateTasksCount", counts.pending_fargate);
  for (const char* service : {"activeEC2ServiceCount", "activeFargateServiceCount",
                              "drainingEC2ServiceCount", "drainingFargateServiceCount"}) {
    add(service, 0);
  }
  return list;
}

Json SettingsOf(const ClusterRecord& record) {
  if (record.settings.empty()) return {{{"name", "containerInsights"}, {"value", "disabled"}}};
  Json list = Json::array();
  for (const KeyValue& setting : record.settings) {
    list.push_back({{"name", setting.name}, {"value", setting.value}});
  }
  return list;
}

// What the calls that change a cluster show of it: everything.
Json WholeClusterJson(const ClusterRecord& record, const ControlSettings& settings,
                      const TaskCounts& counts) {
  Json cluster = ClusterJson(record, settings, counts);
  cluster["tags"] = TagList(record.tags);
  cluster["settings"] = SettingsOf(record);
  AddConfiguration(record, &cluster);
  return cluster;
}

void Count(const TaskRecord& task, TaskCounts* counts) {
  bool is_ec2 = task.launch_type == "EC2";
  TaskStatus status = task.observed.last_status;
  if (status == TaskStatus::kRunning) ++(is_ec2 ? counts->running_ec2 : counts->running_fargate);
  if (status < TaskStatus::kRunning) ++(is_ec2 ? counts->pending_ec2 : counts->pending_fargate);
}

// Of every cluster that has an active task; one walk for however many are asked about.
struct ActiveTasks {
  std::map<std::string, TaskCounts> counts;
  TaskCounts Of(const std::string& cluster) const {
    auto found = counts.find(cluster);
    return found == counts.end() ? TaskCounts() : found->second;
  }
  bool Any(const std::string& cluster) const { return counts.contains(cluster); }
};

Result<ActiveTasks> CountTasks(Store& store) {
  ActiveTasks active;
  TRY(VisitActiveTasks(store,
                       [&](const TaskRecord& task) { Count(task, &active.counts[task.cluster]); }));
  return active;
}

}  // namespace

Result<std::optional<EcsRegistry::StoredCluster>> EcsRegistry::FindCluster(
    const std::string& name) {
  std::string key = keys::Cluster(name);
  std::optional<StoredRecord> stored = TRY(store_.Get(key));
  if (!stored) return std::optional<StoredCluster>();
  Result<ClusterRecord> record = DecodeCluster(stored->value);
  if (record.ok()) {
    return std::optional<StoredCluster>(StoredCluster{record.value(), stored->version});
  }
  TRY(store_.Quarantine(key, record.error().message()));
  return std::optional<StoredCluster>();
}

Result<std::string> EcsRegistry::CreateCluster(const Call& call) {
  std::string name = TRY(TextIn(call.input, "clusterName", "default"));
  if (!IsIdentifier(name)) {
    return InvalidParameter(
        "Identifiers can contain only letters, numbers, hyphens, and underscores. (clusterName, up "
        "to 255 of them)");
  }
  TRY(RefuseUnknown(call.input, {"capacityProviders", "clusterName", "configuration",
                                 "defaultCapacityProviderStrategy", "serviceConnectDefaults",
                                 "settings", "tags"}));
  ClusterMembers members = TRY(ReadClusterMembers(call.input));
  std::vector<Tag> tags = TRY(ReadTags(call.input));
  std::optional<StoredCluster> found = TRY(FindCluster(name));
  ClusterRecord record;
  if (found && found->record.is_active) {
    record = found->record;
  } else {
    record.name = name;
    record.tags = tags;
    record.created_at = WallNanoseconds();
    std::string insights =
        TRY(EffectiveAccountSetting(store_, call.caller.arn, settings_, "containerInsights"));
    record.settings = {{"containerInsights", std::move(insights)}};
    TRY(ApplyMembers(members, &record));
    uint64_t expected = found ? found->version : 0;
    TRY(store_.Commit({{keys::Cluster(name), Encode(record), expected}}, Durability::kAccepted));
  }
  ActiveTasks active = TRY(CountTasks(store_));
  return EncodeJson({{"cluster", WholeClusterJson(record, settings_, active.Of(name))}});
}

Result<std::string> EcsRegistry::DescribeClusters(const Call& call) {
  std::vector<std::string> names = TRY(call.input.FindStrings("clusters"));
  std::vector<std::string> include = TRY(call.input.FindStrings("include"));
  auto includes = [&](const char* what) {
    return std::find(include.begin(), include.end(), what) != include.end();
  };
  for (const std::string& what : include) {
    constexpr std::array kWords = {"ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS",
                                   "TAGS"};
    if (std::find(kWords.begin(), kWords.end(), what) == kWords.end()) {
      return InvalidParameter("include: \"" + what +
                              "\" is none of ATTACHMENTS, CONFIGURATIONS, SETTINGS, STATISTICS, "
                              "TAGS");
    }
  }
  if (names.empty()) names.emplace_back("default");
  ActiveTasks active = TRY(CountTasks(store_));
  if (names.size() > kMaxDescribedTasks) return InvalidParameter("clusters: at most 100");
  Json clusters = Json::array();
  Json failures = Json::array();
  for (const std::string& given : names) {
    std::string prefix = ClusterArn(settings_, "");
    bool is_arn = given.starts_with("arn:");
    bool is_ours = !is_arn || given.starts_with(prefix);
    std::string name = is_arn && is_ours ? given.substr(prefix.size()) : given;
    std::optional<StoredCluster> found;
    if (is_ours) found = TRY(FindCluster(name));
    if (!found) {
      failures.push_back(
          {{"arn", is_arn ? given : ClusterArn(settings_, name)}, {"reason", "MISSING"}});
      continue;
    }
    TaskCounts counts = active.Of(name);
    Json cluster = ClusterJson(found->record, settings_, counts);
    if (includes("TAGS")) cluster["tags"] = TagList(found->record.tags);
    if (includes("SETTINGS")) cluster["settings"] = SettingsOf(found->record);
    if (includes("CONFIGURATIONS")) AddConfiguration(found->record, &cluster);
    if (includes("STATISTICS")) cluster["statistics"] = StatisticsOf(counts);
    clusters.push_back(std::move(cluster));
  }
  return EncodeJson({{"clusters", std::move(clusters)}, {"failures", std::move(failures)}});
}

Result<std::string> EcsRegistry::ListClusters(const Call& call) {
  PageRequest page = TRY(ReadPage(call.input));
  Json arns = Json::array();
  std::string last;
  RangeRequest request{.prefix = keys::kClusters, .after = "", .limit = kMaxEntriesScanned};
  if (!page.after.empty()) request.after = keys::Cluster(page.after);
  bool has_more = false;
  for (bool is_end = false; !is_end && !has_more;) {
    std::vector<StoredRecord> batch = TRY(store_.Range(request));
    is_end = batch.size() < request.limit;
    for (const StoredRecord& stored : batch) {
      request.after = stored.key;
      Result<ClusterRecord> record = DecodeCluster(stored.value);
      if (!record.ok() || !record.value().is_active) continue;
      has_more = arns.size() == page.size;
      if (has_more) break;
      arns.push_back(ClusterArn(settings_, record.value().name));
      last = record.value().name;
    }
  }
  Json answer = {{"clusterArns", std::move(arns)}};
  if (has_more) answer["nextToken"] = NextToken(last);
  return EncodeJson(answer);
}

Result<std::string> EcsRegistry::DeleteCluster(const Call& call) {
  TRY(call.input.Get("cluster"));
  std::string name = TRY(ClusterName(call.input, settings_));
  std::optional<StoredCluster> found = TRY(FindCluster(name));
  if (!found || !found->record.is_active) {
    return Error(Code::kNotFound, "Cluster not found.").WithKind("ClusterNotFoundException");
  }
  ActiveTasks active = TRY(CountTasks(store_));
  if (active.Any(name)) {
    return Error(Code::kConflict, "The Cluster cannot be deleted while Tasks are active.")
        .WithKind("ClusterContainsTasksException");
  }
  ClusterRecord record = found->record;
  record.is_active = false;
  TRY(store_.Commit({{keys::Cluster(name), Encode(record), found->version}},
                    Durability::kAccepted));
  return EncodeJson({{"cluster", ClusterJson(record, settings_, {})}});
}

Result<std::string> EcsRegistry::ChangeCluster(
    const Call& call, const std::function<Result<>(ClusterRecord&)>& edit) {
  std::string name = TRY(ClusterName(call.input, settings_));
  std::optional<StoredCluster> found = TRY(FindCluster(name));
  if (!found || !found->record.is_active) {
    return Error(Code::kNotFound, "Cluster not found.").WithKind("ClusterNotFoundException");
  }
  ClusterRecord before = found->record;
  TRY(edit(found->record));
  if (before != found->record) {
    TRY(store_.Commit({{keys::Cluster(name), Encode(found->record), found->version}},
                      Durability::kAccepted));
  }
  ActiveTasks active = TRY(CountTasks(store_));
  return EncodeJson({{"cluster", WholeClusterJson(found->record, settings_, active.Of(name))}});
}

Result<std::string> EcsRegistry::UpdateCluster(const Call& call) {
  TRY(RefuseUnknown(call.input,
                    {"cluster", "configuration", "serviceConnectDefaults", "settings"}));
  TRY(call.input.Get("cluster"));
  ClusterMembers members = TRY(ReadClusterMembers(call.input));
  return ChangeCluster(
      call, [&](ClusterRecord& record) -> Result<> { return ApplyMembers(members, &record); });
}

Result<std::string> EcsRegistry::UpdateClusterSettings(const Call& call) {
  TRY(RefuseUnknown(call.input, {"cluster", "settings"}));
  TRY(call.input.Get("cluster"));
  TRY(call.input.Get("settings"));
  ClusterMembers members = TRY(ReadClusterMembers(call.input));
  return ChangeCluster(
      call, [&](ClusterRecord& record) -> Result<> { return ApplyMembers(members, &record); });
}

std::vector<std::string> EcsRegistry::ClusterArnOf(const Call& call,
                                                   std::string_view member) const {
  Result<std::string> name = TextIn(call.input, member, "default");
  if (!name.ok()) return {};
  if (name.value().starts_with("arn:")) return {name.value()};
  return {ClusterArn(settings_, name.value())};
}

}  // namespace skiff::runtime::api
