#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "runtime/api/active_tasks.h"
#include "runtime/api/ecs_host.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_requires_attributes.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

double Seconds(int64_t wall_ns) { return static_cast<double>(wall_ns / 1'000'000) / 1000; }

Json Number(const char* name, int64_t value) {
  return {{"name", name},
          {"type", "INTEGER"},
          {"integerValue", value},
          {"longValue", 0},
          {"doubleValue", 0.0}};
}

// Ports of the host are nobody's: a task with an address of its own has all of them.
Json Ports(const char* name) {
  return {{"name", name},   {"type", "STRINGSET"}, {"integerValue", 0},
          {"longValue", 0}, {"doubleValue", 0.0},  {"stringSetValue", Json::array()}};
}

Json Resources(int64_t cpu, int64_t memory) {
  return {Number("CPU", cpu), Number("MEMORY", memory), Ports("PORTS"), Ports("PORTS_UDP")};
}

constexpr std::array<std::string_view, 5> kStatuses = {"ACTIVE", "DRAINING", "REGISTERING",
                                                       "DEREGISTERING", "REGISTRATION_FAILED"};

}  // namespace

Result<EcsHost::Membership> EcsHost::MembershipIn(const JsonCursor& input) {
  Membership membership;
  ClusterRecord cluster = TRY(FindActiveCluster(store_, input, settings_));
  membership.cluster = cluster.name;
  std::optional<StoredRecord> stored = TRY(store_.Get(keys::kHost));
  if (!stored) return membership;
  membership.host = TRY(DecodeHost(stored->value));
  membership.is_member = cluster.name == "default";
  TRY(VisitActiveTasks(store_, [&](const TaskRecord& task) {
    if (task.cluster != membership.cluster || task.launch_type != "EC2") return;
    membership.is_member = true;
    if (task.observed.last_status == TaskStatus::kRunning) ++membership.running;
    if (task.observed.last_status < TaskStatus::kRunning) ++membership.pending;
  }));
  return membership;
}

Result<std::string> EcsHost::ListContainerInstances(const Call& call) {
  TRY(RefuseUnknown(call.input, {"cluster", "filter", "nextToken", "maxResults", "status"}));
  PageRequest page = TRY(ReadPage(call.input));
  std::string filter = TRY(TextIn(call.input, "filter", ""));
  if (!filter.empty()) {
    return Error(Code::kUnavailable,
                 "filter: the cluster query language is not offered in this version")
        .WithKind("UnsupportedFeatureException");
  }
  std::string status = TRY(TextIn(call.input, "status", "ACTIVE"));
  if (std::find(kStatuses.begin(), kStatuses.end(), status) == kStatuses.end()) {
    return InvalidParameter("status: \"" + status + "\" is not one of the enumeration");
  }
  Membership membership = TRY(MembershipIn(call.input));
  Json arns = Json::array();
  if (membership.is_member && status == "ACTIVE" && page.after.empty()) {
    arns.push_back(ContainerInstanceArn(settings_, membership.cluster, membership.host.id));
  }
  return EncodeJson({{"containerInstanceArns", std::move(arns)}});
}

Result<std::string> EcsHost::InstanceText(const Membership& membership, bool with_tags,
                                          bool with_health) {
  const HostRecord& host = membership.host;
  HostUse use = TRY(placement_.Use());
  std::vector<KeyValue> attributes = HostAttributes(host, settings_.region);
  std::vector<KeyValue> custom = TRY(CustomAttributes(membership));
  attributes.insert(attributes.end(), custom.begin(), custom.end());
  Json list = Json::array();
  for (const KeyValue& attribute : attributes) {
    Json one = {{"name", attribute.name}};
    if (!attribute.value.empty()) one["value"] = attribute.value;
    list.push_back(std::move(one));
  }
  Json instance = {
      {"containerInstanceArn", ContainerInstanceArn(settings_, membership.cluster, host.id)},
      {"version", 1},
      {"versionInfo", {{"agentVersion", host.version}}},
      {"registeredResources", Resources(host.cpu, host.memory)},
      {"remainingResources", Resources(host.cpu - use.cpu, host.memory - use.memory)},
      {"status", "ACTIVE"},
      {"agentConnected", true},
      {"runningTasksCount", membership.running},
      {"pendingTasksCount", membership.pending},
      {"attributes", std::move(list)},
      {"attachments", Json::array()},
      {"registeredAt", Seconds(host.registered_at)}};
  if (with_tags) instance["tags"] = Json::array();
  if (with_health) {
    instance["healthStatus"] = {{"overallStatus", "OK"},
                                {"details",
                                 {{{"type", "CONTAINER_RUNTIME"},
                                   {"status", "OK"},
                                   {"lastUpdated", Seconds(WallNanoseconds())}}}}};
  }
  return EncodeJson(instance);
}

Result<std::string> EcsHost::DescribeContainerInstances(const Call& call) {
  TRY(RefuseUnknown(call.input, {"cluster", "containerInstances", "include"}));
  std::vector<std::string> names = TRY(call.input.FindStrings("containerInstances"));
  if (names.empty()) return InvalidParameter("Container instances cannot be empty.");
  if (names.size() > kMaxDescribedTasks) {
    return InvalidParameter("containerInstances: at most 100");
  }
  std::vector<std::string> include = TRY(call.input.FindStrings("include"));
  auto includes = [&](const char* what) {
    return std::find(include.begin(), include.end(), what) != include.end();
  };
  Membership membership = TRY(MembershipIn(call.input));
  std::string own = ContainerInstanceArn(settings_, membership.cluster, membership.host.id);
  std::vector<std::string> texts;
  std::vector<Failure> failures;
  for (const std::string& name : names) {
    bool is_own = name == own || name == membership.host.id;
    if (is_own && membership.is_member) {
      std::string text =
          TRY(InstanceText(membership, includes("TAGS"), includes("CONTAINER_INSTANCE_HEALTH")));
      texts.push_back(std::move(text));
      continue;
    }
    failures.push_back({name.starts_with("arn:")
                            ? name
                            : ContainerInstanceArn(settings_, membership.cluster, name),
                        "MISSING",
                        {}});
  }
  return AnswerWithFailures("containerInstances", texts, failures);
}

void EcsHost::AddTo(OperationTable& table) {
  using Member = Result<std::string> (EcsHost::*)(const Call&);
  auto add = [&](const char* name, Member member) {
    table.operations[name] = {[this, member](const Call& call) { return (this->*member)(call); }};
  };
  add("ListContainerInstances", &EcsHost::ListContainerInstances);
  add("DescribeContainerInstances", &EcsHost::DescribeContainerInstances);
  add("PutAttributes", &EcsHost::PutAttributes);
  add("DeleteAttributes", &EcsHost::DeleteAttributes);
  add("ListAttributes", &EcsHost::ListAttributes);
}

}  // namespace skiff::runtime::api
