// Clusters.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
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
  int running = 0;
  int pending = 0;
};

Json ClusterJson(const ClusterRecord& record, const ControlSettings& settings,
                 const TaskCounts& counts) {
  Json strategy = Json::array();
  for (const CapacityProviderItem& item : record.default_strategy) {
    strategy.push_back(
        {{"capacityProvider", item.name}, {"weight", item.weight}, {"base", item.base}});
  }
  return {{"clusterArn", ClusterArn(settings, record.name)},
          {"clusterName", record.name},
          {"status", record.is_active ? "ACTIVE" : "INACTIVE"},
          {"registeredContainerInstancesCount", 0},
          {"runningTasksCount", counts.running},
          {"pendingTasksCount", counts.pending},
          {"activeServicesCount", 0},
          {"statistics", Json::array()},
          {"tags", Json::array()},
          {"settings", Json::array()},
          {"capacityProviders", record.capacity_providers},
          {"defaultCapacityProviderStrategy", std::move(strategy)}};
}

// What ECS itself counts by launch type; no services run here, and nothing on instances.
Json StatisticsOf(const TaskCounts& counts) {
  Json list = Json::array();
  auto add = [&](const char* name, int value) {
    list.push_back({{"name", name}, {"value", std::to_string(value)}});
  };
  add("runningEC2TasksCount", 0);
  add("runningFargateTasksCount", counts.running);
  add("pendingEC2TasksCount", 0);
  add("pendingFargateTasksCount", counts.pending);
  return list;
}

Json SettingsOf(const ClusterRecord& record) {
  Json list = Json::array();
  for (const KeyValue& setting : record.settings) {
    list.push_back({{"name", setting.name}, {"value", setting.value}});
  }
  return list;
}

Result<TaskCounts> CountTasks(Store& store, const std::vector<std::string>& ids) {
  TaskCounts counts;
  for (const std::string& id : ids) {
    std::optional<StoredRecord> stored = TRY(store.Get(keys::kTasks + id));
    if (!stored) continue;
    Result<TaskRecord> task = DecodeTask(stored->value);
    if (!task.ok()) continue;
    TaskStatus status = task.value().observed.last_status;
    if (status == TaskStatus::kRunning) ++counts.running;
    if (status < TaskStatus::kRunning) ++counts.pending;
  }
  return counts;
}

// What this version would lose is refused.
Result<> RefuseWhatHasNoEffect(const JsonCursor& input) {
  for (const char* member : {"configuration", "serviceConnectDefaults", "capacityProviders",
                             "defaultCapacityProviderStrategy", "settings"}) {
    std::optional<JsonCursor> found = TRY(input.Find(member));
    if (!found || (found->IsArray() && found->value().empty())) continue;
    return Error(Code::kUnavailable, std::string(member) + ": not offered in this version")
        .WithKind("UnsupportedFeatureException");
  }
  return {};
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
        "Identifiers can contain only letters, numbers, hyphens, and "
        "underscores, up to 255 of them: clusterName");
  }
  TRY(RefuseWhatHasNoEffect(call.input));
  std::vector<Tag> tags = TRY(ReadTags(call.input));
  std::optional<StoredCluster> found = TRY(FindCluster(name));
  ClusterRecord record;
  if (found && found->record.is_active) {
    record = found->record;
  } else {
    record.name = name;
    record.tags = tags;
    record.created_at = WallNanoseconds();
    uint64_t expected = found ? found->version : 0;
    TRY(store_.Commit({{keys::Cluster(name), Encode(record), expected}}, Durability::kAccepted));
  }
  Json cluster = ClusterJson(record, settings_, {});
  cluster["tags"] = TagList(record.tags);
  return EncodeJson({{"cluster", std::move(cluster)}});
}

Result<std::vector<std::string>> EcsRegistry::ActiveTasksOf(const std::string& cluster) {
  std::vector<std::string> ids;
  RangeRequest request{.prefix = keys::kActive, .after = "", .limit = kMaxEntriesScanned};
  for (;;) {
    std::vector<StoredRecord> batch = TRY(store_.Range(request));
    for (const StoredRecord& entry : batch) {
      std::string id = entry.key.substr(request.prefix.size());
      std::optional<StoredRecord> stored = TRY(store_.Get(keys::kTasks + id));
      if (!stored) continue;
      Result<TaskRecord> task = DecodeTask(stored->value);
      if (task.ok() && task.value().cluster == cluster) ids.push_back(id);
    }
    if (batch.size() < request.limit) return ids;
    request.after = batch.back().key;
  }
}

Result<std::string> EcsRegistry::DescribeClusters(const Call& call) {
  std::vector<std::string> names = TRY(call.input.FindStrings("clusters"));
  std::vector<std::string> include = TRY(call.input.FindStrings("include"));
  auto includes = [&](const char* what) {
    return std::find(include.begin(), include.end(), what) != include.end();
  };
  if (names.empty()) names.emplace_back("default");
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
    std::vector<std::string> active = TRY(ActiveTasksOf(name));
    TaskCounts counts = TRY(CountTasks(store_, active));
    Json cluster = ClusterJson(found->record, settings_, counts);
    if (includes("TAGS")) cluster["tags"] = TagList(found->record.tags);
    if (includes("SETTINGS")) cluster["settings"] = SettingsOf(found->record);
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
  std::vector<std::string> active = TRY(ActiveTasksOf(name));
  if (!active.empty()) {
    return Error(Code::kConflict, "The Cluster cannot be deleted while Tasks are active.")
        .WithKind("ClusterContainsTasksException");
  }
  ClusterRecord record = found->record;
  record.is_active = false;
  TRY(store_.Commit({{keys::Cluster(name), Encode(record), found->version}},
                    Durability::kAccepted));
  return EncodeJson({{"cluster", ClusterJson(record, settings_, {})}});
}

std::vector<std::string> EcsRegistry::ClusterArnOf(const Call& call,
                                                   std::string_view member) const {
  Result<std::string> name = TextIn(call.input, member, "default");
  if (!name.ok()) return {};
  if (name.value().starts_with("arn:")) return {name.value()};
  return {ClusterArn(settings_, name.value())};
}

}  // namespace skiff::runtime::api
