#include "runtime/api/task_text.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "isolation/base/clock.h"
#include "runtime/api/limits.h"
#include "runtime/model/json_text.h"
#include "runtime/model/overrides.h"
#include "runtime/model/task_members.h"

namespace skiff::runtime::api {
namespace {

constexpr int64_t kDefaultEphemeralGib = 20;

uint64_t Fnv1a(std::string_view text, uint64_t hash) {
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

std::string Arn(const ControlSettings& settings, std::string_view resource) {
  std::string arn = "arn:aws:ecs:" + settings.region + ":" + settings.account_id + ":";
  arn += resource;
  return arn;
}

std::string AttachmentId(const TaskRecord& record) {
  return DerivedUuid(record.observed.id.text() + "/eni");
}

bool HasNetwork(const TaskRecord& record) { return !record.subnets.empty(); }

// What a list or an object inside is made with: appends the text that `fill` writes.
template <typename Fill>
std::string Object(Fill fill) {
  std::string text;
  MemberWriter writer(text);
  fill(writer);
  writer.Close();
  return text;
}

std::string List(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list += (list.size() > 1 ? "," : "") + text;
  return list + "]";
}

void Time(MemberWriter& writer, std::string_view name, const WallTime& time, TimeForm form) {
  if (!time) return;
  if (form == TimeForm::kSeconds) return writer.Raw(name, TimeText(*time));
  writer(name, MillisecondText(*time));
}

std::string NameAndValue(std::string_view name, std::string_view value) {
  return Object([&](MemberWriter& detail) {
    detail.Always("name", name);
    detail.Always("value", value);
  });
}

// "ip-10-77-0-5.ec2.internal", as the resolver of AWS's first region has it, others by region.
std::string PrivateDnsName(const std::string& address, const std::string& region) {
  std::string name = "ip-" + address;
  std::replace(name.begin(), name.end(), '.', '-');
  return name + (region == "us-east-1" ? ".ec2.internal" : "." + region + ".compute.internal");
}

std::string AttachmentText(const TaskRecord& record, const ControlSettings& settings) {
  std::vector<std::string> details = {NameAndValue("subnetId", record.subnets.front())};
  // Until the supervisor has made it, the interface is only promised.
  std::string status =
      record.observed.last_status == TaskStatus::kStopped ? "DELETED" : "PRECREATED";
  if (!record.observed.attachments.empty()) {
    const Attachment& eni = record.observed.attachments.front();
    status = eni.status;
    details.push_back(NameAndValue("networkInterfaceId", eni.id));
    details.push_back(NameAndValue("macAddress", eni.mac));
    details.push_back(NameAndValue("privateDnsName", PrivateDnsName(eni.address, settings.region)));
    details.push_back(NameAndValue("privateIPv4Address", eni.address));
  }
  return Object([&](MemberWriter& attachment) {
    attachment("id", AttachmentId(record));
    attachment("type", std::string_view("ElasticNetworkInterface"));
    attachment("status", status);
    attachment.Raw("details", List(details));
  });
}

std::string InterfacesText(const TaskRecord& record) {
  if (!HasNetwork(record) || record.observed.attachments.empty()) return "[]";
  return List({Object([&](MemberWriter& interface) {
    interface("attachmentId", AttachmentId(record));
    interface("privateIpv4Address", record.observed.attachments.front().address);
  })});
}

// A container's own sizes: the definition's unless RunTask changed them.
struct Sizes {
  int64_t cpu = 0;
  std::optional<int64_t> memory;
  std::optional<int64_t> memory_reservation;
};

std::optional<int64_t> Mib(const std::optional<Bytes>& bytes) {
  if (!bytes) return std::nullopt;
  return static_cast<int64_t>(bytes->mib());
}

Sizes SizesOf(std::string_view container, const TaskDefinition* definition,
              const TaskOverrides& overrides) {
  Sizes sizes;
  auto is_it = [&](const auto& candidate) { return candidate.name == container; };
  if (definition != nullptr) {
    auto found = std::find_if(definition->containers.begin(), definition->containers.end(), is_it);
    if (found != definition->containers.end()) {
      sizes = {found->cpu, Mib(found->memory), Mib(found->memory_reservation)};
    }
  }
  for (const ContainerOverride& change : overrides.containers) {
    if (!is_it(change)) continue;
    sizes.cpu = change.cpu.value_or(sizes.cpu);
    if (change.memory) sizes.memory = change.memory;
    if (change.memory_reservation) sizes.memory_reservation = change.memory_reservation;
  }
  return sizes;
}

void WriteSizes(MemberWriter& writer, const Sizes& sizes) {
  writer("cpu", std::to_string(sizes.cpu));
  if (sizes.memory) writer("memory", std::to_string(*sizes.memory));
  if (sizes.memory_reservation) {
    writer("memoryReservation", std::to_string(*sizes.memory_reservation));
  }
}

std::string ContainerText(const TaskRecord& record, const TaskContainer& container,
                          const TaskDefinition* definition, const ControlSettings& settings,
                          const std::string& interfaces) {
  const std::string& id = record.observed.id.text();
  return Object([&](MemberWriter& writer) {
    writer("containerArn", Arn(settings, "container/" + record.cluster + "/" + id + "/" +
                                             DerivedUuid(id + "/" + container.name)));
    writer("taskArn", TaskArn(settings, record.cluster, id));
    writer("name", container.name);
    writer("image", container.image);
    writer("imageDigest", container.digest);
    writer("runtimeId", container.runtime_id);
    writer("lastStatus", StatusName(container.last_status));
    writer("exitCode", container.exit_code);
    writer("reason", container.reason);
    writer.Raw("networkBindings", "[]");
    writer.Raw("networkInterfaces", interfaces);
    writer("healthStatus", std::string_view("UNKNOWN"));
    writer.Raw("managedAgents", "[]");
    WriteSizes(writer, SizesOf(container.name, definition, record.overrides));
  });
}

std::string ContainersText(const TaskRecord& record, const TaskDefinition* definition,
                           const ControlSettings& settings) {
  std::string interfaces = InterfacesText(record);
  std::vector<std::string> texts;
  for (const TaskContainer& container : record.observed.containers) {
    texts.push_back(ContainerText(record, container, definition, settings, interfaces));
  }
  return List(texts);
}

std::string AttributesText(const TaskDefinition* definition) {
  bool is_arm = definition != nullptr && definition->runtime_platform &&
                definition->runtime_platform->cpu_architecture == "ARM64";
  return List({NameAndValue("ecs.cpu-architecture", is_arm ? "arm64" : "x86_64")});
}

int64_t EphemeralGib(const TaskRecord& record, const TaskDefinition* definition) {
  if (record.overrides.ephemeral_storage) return record.overrides.ephemeral_storage->size_in_gib;
  if (definition != nullptr && definition->ephemeral_storage) {
    return definition->ephemeral_storage->size_in_gib;
  }
  return kDefaultEphemeralGib;
}

bool IsEc2(const TaskRecord& record) { return record.launch_type == "EC2"; }

void WriteNames(MemberWriter& writer, const TaskRecord& record, const ControlSettings& settings) {
  writer("taskArn", TaskArn(settings, record.cluster, record.observed.id.text()));
  writer("clusterArn", ClusterArn(settings, record.cluster));
  writer("taskDefinitionArn", TaskDefinitionArn(settings, record.family, record.revision));
  if (IsEc2(record)) {
    writer("containerInstanceArn", ContainerInstanceArn(settings, record.cluster, record.host_id));
  }
  writer("availabilityZone", settings.region + "a");
  writer("group", record.group);
  writer("startedBy", record.started_by);
}

void WriteLaunch(MemberWriter& writer, const TaskRecord& record, const TaskDefinition* definition) {
  // ECS names the launch type of a task of a FARGATE capacity provider too.
  writer("launchType", record.launch_type.empty() ? "FARGATE" : record.launch_type);
  writer("capacityProviderName", record.capacity_provider);
  if (!IsEc2(record)) {
    writer("platformVersion", record.platform_version);
    writer("platformFamily", std::string_view("Linux"));
    writer.Raw("ephemeralStorage",
               "{\"sizeInGiB\":" + std::to_string(EphemeralGib(record, definition)) + "}");
  }
  writer("cpu", record.cpu);
  writer("memory", record.memory);
  writer.Always("enableExecuteCommand", record.enable_execute_command);
}

// The first cause is the supervisor's; until it has one, what was asked for.
void WriteStop(MemberWriter& writer, const TaskRecord& record) {
  const Task& task = record.observed;
  std::optional<StopCode> code = task.stop_code ? task.stop_code : record.stop_code;
  if (!code) return;
  writer("stopCode", StopCodeName(*code));
  writer("stoppedReason", task.stop_code ? task.stopped_reason : record.stop_reason);
}

void WriteState(MemberWriter& writer, const TaskRecord& record, TimeForm times) {
  const Task& task = record.observed;
  writer("lastStatus", StatusName(task.last_status));
  writer("desiredStatus", StatusName(record.desired_status));
  writer("healthStatus", std::string_view("UNKNOWN"));
  writer("version", task.version);
  WriteStop(writer, record);
  if (task.connectivity_at) writer("connectivity", std::string_view("CONNECTED"));
  Time(writer, "connectivityAt", task.connectivity_at, times);
  Time(writer, "createdAt", record.created_at, times);
  Time(writer, "pullStartedAt", task.pull_started_at, times);
  Time(writer, "pullStoppedAt", task.pull_stopped_at, times);
  Time(writer, "startedAt", task.started_at, times);
  Time(writer, "stoppingAt", task.stopping_at, times);
  Time(writer, "executionStoppedAt", task.execution_stopped_at, times);
  Time(writer, "stoppedAt", task.stopped_at, times);
}

std::string TagsText(const std::vector<Tag>& tags) {
  std::vector<std::string> texts;
  for (const Tag& tag : tags) texts.push_back(EncodeMembers(tag));
  return List(texts);
}

}  // namespace

std::string DerivedUuid(std::string_view text) {
  uint64_t high = Fnv1a(text, 14695981039346656037ULL);
  uint64_t low = Fnv1a(text, high ^ 0x9e3779b97f4a7c15ULL);
  char digits[40];
  snprintf(digits, sizeof digits, "%08llx-%04llx-4%03llx-a%03llx-%012llx",
           static_cast<unsigned long long>(high >> 32),
           static_cast<unsigned long long>(high >> 16 & 0xffff),
           static_cast<unsigned long long>(high & 0xfff),
           static_cast<unsigned long long>(low >> 48 & 0xfff),
           static_cast<unsigned long long>(low & 0xffffffffffff));
  return digits;
}

std::string MillisecondText(int64_t wall_ns) {
  std::string text = FormatRfc3339(wall_ns);
  return text.substr(0, text.find('.') + 4) + "Z";
}

std::string TimeText(int64_t wall_ns) {
  char text[40];
  snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(wall_ns / 1'000'000'000),
           static_cast<long long>(wall_ns / 1'000'000 % 1000));
  return text;
}

std::string ClusterArn(const ControlSettings& settings, std::string_view cluster) {
  return Arn(settings, "cluster/" + std::string(cluster));
}

std::string TaskArn(const ControlSettings& settings, std::string_view cluster,
                    std::string_view id) {
  return Arn(settings, "task/" + std::string(cluster) + "/" + std::string(id));
}

std::string TaskDefinitionArn(const ControlSettings& settings, std::string_view family,
                              int64_t revision) {
  return Arn(settings, "task-definition/" + std::string(family) + ":" + std::to_string(revision));
}

std::string ContainerInstanceArn(const ControlSettings& settings, std::string_view cluster,
                                 std::string_view id) {
  return Arn(settings, "container-instance/" + std::string(cluster) + "/" + std::string(id));
}

TaskText RenderTask(const TaskRecord& record, const TaskDefinition* definition,
                    const ControlSettings& settings, TimeForm times) {
  TaskText text;
  text.cluster = record.cluster;
  MemberWriter writer(text.head);
  WriteNames(writer, record, settings);
  WriteLaunch(writer, record, definition);
  WriteState(writer, record, times);
  writer.Raw("attachments", HasNetwork(record) ? List({AttachmentText(record, settings)}) : "[]");
  writer.Raw("attributes", AttributesText(definition));
  writer.Raw("containers", ContainersText(record, definition, settings));
  writer.Raw("inferenceAccelerators", "[]");
  writer.Raw("overrides", EncodeOverrides(record.overrides));
  text.tags = TagsText(record.tags);
  return text;
}

std::string WholeText(const TaskText& text, bool with_tags) {
  std::string whole;
  whole.reserve(text.head.size() + text.tags.size() + 16);
  whole += text.head;
  whole += ",\"tags\":";
  whole += with_tags ? text.tags : "[]";
  whole += '}';
  return whole;
}

const TaskText* TaskTextCache::Find(const std::string& id, uint64_t version) const {
  auto found = texts_.find(id);
  if (found == texts_.end() || found->second.version != version) return nullptr;
  return &found->second.text;
}

const TaskText& TaskTextCache::Keep(const std::string& id, uint64_t version, TaskText text) {
  if (texts_.size() >= kMaxRenderedTasks) texts_.clear();
  Kept& kept = texts_[id];
  kept = {version, std::move(text)};
  return kept.text;
}

}  // namespace skiff::runtime::api
