#include <algorithm>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "runtime/plan/limits.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {
namespace {

using nlohmann::json;

// Raised when a member changes its meaning: a supervisor refuses a plan it was not built for.
constexpr int64_t kPlanVersion = 1;

json EncodeLimits(const LimitsPlan& limits) {
  json out = json::object();
  if (limits.memory_max) out["memoryMax"] = limits.memory_max->count();
  if (limits.memory_low) out["memoryLow"] = limits.memory_low->count();
  if (limits.cpu_quota_us) out["cpuQuotaUs"] = *limits.cpu_quota_us;
  if (limits.cpu_shares) out["cpuShares"] = *limits.cpu_shares;
  if (limits.pids_max) out["pidsMax"] = *limits.pids_max;
  return out;
}

constexpr std::pair<SeccompChoice, std::string_view> kSeccompChoices[] = {
    {SeccompChoice::kDefault, "default"},
    {SeccompChoice::kNone, "none"},
    {SeccompChoice::kProfile, "profile"},
};

json EncodeConfinement(const ConfinementPlan& plan) {
  json out = {{"noNewPrivileges", plan.no_new_privileges},
              {"maskPaths", plan.mask_paths},
              {"landlock", plan.landlock},
              {"traceSyscalls", plan.trace_syscalls}};
  for (const auto& [choice, name] : kSeccompChoices) {
    if (plan.seccomp == choice) out["seccomp"] = std::string(name);
  }
  if (plan.seccomp != SeccompChoice::kProfile) return out;
  out["seccompFlags"] = plan.seccomp_flags;
  out["seccompProgram"] = json::array();
  for (const isolation::SeccompInstruction& step : plan.seccomp_program) {
    out["seccompProgram"].push_back({step.code, step.jump_true, step.jump_false, step.k});
  }
  return out;
}

json EncodeContainer(const ContainerPlan& c) {
  json out = {{"name", c.name},
              {"image", c.image},
              {"imageDigest", c.image_digest},
              {"runtimeId", c.runtime_id},
              {"layers", c.layers},
              {"arguments", c.arguments},
              {"environment", c.environment},
              {"workingDirectory", c.working_directory},
              {"user", c.user},
              {"readonlyRoot", c.is_readonly_root},
              {"volumes", c.volumes},
              {"exposedPorts", c.exposed_ports},
              {"capabilities", isolation::CapabilityNames(c.capabilities)},
              {"allowPtrace", c.allow_ptrace},
              {"confinement", EncodeConfinement(c.confinement)},
              {"limits", EncodeLimits(c.limits)},
              {"essential", c.essential},
              {"stopSignal", c.stop_signal},
              {"stopTimeout", c.stop_timeout.count()},
              {"keepLogs", c.keep_logs},
              {"logDirectory", c.log_directory},
              {"logLimit", c.log_limit.count()},
              {"logBlocking", c.is_log_blocking},
              {"logBuffer", c.log_buffer.count()}};
  if (c.start_timeout) out["startTimeout"] = c.start_timeout->count();
  out["rlimits"] = json::array();
  for (const RlimitPlan& limit : c.rlimits) {
    // As text: UINT64_MAX, which stands for unlimited, is no JSON integer that readers agree on.
    out["rlimits"].push_back({{"resource", limit.resource},
                              {"soft", std::to_string(limit.soft)},
                              {"hard", std::to_string(limit.hard)}});
  }
  out["dependsOn"] = json::array();
  for (const DependsOn& dependency : c.depends_on) {
    out["dependsOn"].push_back({{"containerName", dependency.container_name},
                                {"condition", std::string(ConditionName(dependency.condition))}});
  }
  return out;
}

Result<std::optional<uint64_t>> FindCount(const JsonCursor& cursor, std::string_view name) {
  std::optional<int64_t> value = TRY(cursor.FindInteger(name, 0));
  return value ? std::optional<uint64_t>(static_cast<uint64_t>(*value)) : std::nullopt;
}

Result<LimitsPlan> DecodeLimits(const JsonCursor& cursor) {
  LimitsPlan limits;
  std::optional<uint64_t> memory_max = TRY(FindCount(cursor, "memoryMax"));
  std::optional<uint64_t> memory_low = TRY(FindCount(cursor, "memoryLow"));
  if (memory_max) limits.memory_max = Bytes(*memory_max);
  if (memory_low) limits.memory_low = Bytes(*memory_low);
  limits.cpu_quota_us = TRY(FindCount(cursor, "cpuQuotaUs"));
  limits.cpu_shares = TRY(FindCount(cursor, "cpuShares"));
  limits.pids_max = TRY(FindCount(cursor, "pidsMax"));
  return limits;
}

Result<std::string> GetString(const JsonCursor& cursor, std::string_view name) {
  JsonCursor member = TRY(cursor.Get(name));
  return member.String();
}
Result<bool> GetBoolean(const JsonCursor& cursor, std::string_view name) {
  JsonCursor member = TRY(cursor.Get(name));
  return member.Boolean();
}
// Of a member that older plans lack.
Result<bool> FindBoolean(const JsonCursor& cursor, std::string_view name) {
  std::optional<JsonCursor> member = TRY(cursor.Find(name));
  if (!member) return false;
  return member->Boolean();
}
Result<int64_t> GetInteger(const JsonCursor& cursor, std::string_view name, int64_t min,
                           int64_t max) {
  JsonCursor member = TRY(cursor.Get(name));
  return member.Integer(min, max);
}

Result<RlimitPlan> DecodeRlimit(const JsonCursor& cursor) {
  RlimitPlan limit;
  limit.resource = static_cast<int>(TRY(GetInteger(cursor, "resource", 0, 64)));
  std::string soft = TRY(GetString(cursor, "soft"));
  std::string hard = TRY(GetString(cursor, "hard"));
  std::optional<uint64_t> soft_number = ParseUint(soft);
  std::optional<uint64_t> hard_number = ParseUint(hard);
  if (!soft_number || !hard_number) return cursor.Invalid("soft and hard are no numbers");
  limit.soft = *soft_number;
  limit.hard = *hard_number;
  return limit;
}

Result<DependsOn> DecodeDependency(const JsonCursor& cursor) {
  DependsOn dependency;
  dependency.container_name = TRY(GetString(cursor, "containerName"));
  std::string condition = TRY(GetString(cursor, "condition"));
  for (auto candidate : {DependencyCondition::kStart, DependencyCondition::kComplete,
                         DependencyCondition::kSuccess, DependencyCondition::kHealthy}) {
    if (ConditionName(candidate) == condition) {
      dependency.condition = candidate;
      return dependency;
    }
  }
  return cursor.Invalid("unknown condition " + condition);
}

Result<> DecodeLists(const JsonCursor& cursor, ContainerPlan* c) {
  c->layers = TRY(cursor.FindStrings("layers"));
  c->arguments = TRY(cursor.FindStrings("arguments"));
  c->environment = TRY(cursor.FindStrings("environment"));
  std::vector<std::string> capabilities = TRY(cursor.FindStrings("capabilities"));
  for (const std::string& name : capabilities) {
    std::optional<int> number = isolation::CapabilityByName(name);
    if (!number) return cursor.Invalid("unknown capability " + name);
    c->capabilities |= isolation::CapabilityMask{1} << *number;
  }
  std::vector<JsonCursor> rlimits = TRY(cursor.FindElements("rlimits"));
  for (const JsonCursor& element : rlimits) {
    RlimitPlan limit = TRY(DecodeRlimit(element));
    c->rlimits.push_back(limit);
  }
  std::vector<JsonCursor> dependencies = TRY(cursor.FindElements("dependsOn"));
  for (const JsonCursor& element : dependencies) {
    DependsOn dependency = TRY(DecodeDependency(element));
    c->depends_on.push_back(std::move(dependency));
  }
  return {};
}

Result<isolation::SeccompInstruction> DecodeInstruction(const JsonCursor& cursor) {
  std::vector<JsonCursor> numbers = TRY(cursor.Elements());
  if (numbers.size() != 4) return cursor.Invalid("an instruction has four numbers");
  isolation::SeccompInstruction step;
  step.code = static_cast<uint16_t>(TRY(numbers[0].Integer(0, UINT16_MAX)));
  step.jump_true = static_cast<uint8_t>(TRY(numbers[1].Integer(0, UINT8_MAX)));
  step.jump_false = static_cast<uint8_t>(TRY(numbers[2].Integer(0, UINT8_MAX)));
  step.k = static_cast<uint32_t>(TRY(numbers[3].Integer(0, UINT32_MAX)));
  return step;
}

Result<> DecodeSeccomp(const JsonCursor& cursor, ConfinementPlan* plan) {
  std::string name = TRY(GetString(cursor, "seccomp"));
  const auto* found = std::find_if(std::begin(kSeccompChoices), std::end(kSeccompChoices),
                                   [&](const auto& each) { return each.second == name; });
  if (found == std::end(kSeccompChoices)) return cursor.Invalid("seccomp: unknown word " + name);
  plan->seccomp = found->first;
  if (plan->seccomp != SeccompChoice::kProfile) return {};
  plan->seccomp_flags =
      static_cast<uint32_t>(TRY(GetInteger(cursor, "seccompFlags", 0, UINT32_MAX)));
  std::vector<JsonCursor> steps = TRY(cursor.FindElements("seccompProgram"));
  for (const JsonCursor& each : steps) {
    isolation::SeccompInstruction step = TRY(DecodeInstruction(each));
    plan->seccomp_program.push_back(step);
  }
  return {};
}

// A plan of before there was a choice has the defaults.
Result<ConfinementPlan> DecodeConfinement(const JsonCursor& container) {
  ConfinementPlan plan;
  std::optional<JsonCursor> found = TRY(container.Find("confinement"));
  if (!found) return plan;
  plan.no_new_privileges = TRY(GetBoolean(*found, "noNewPrivileges"));
  plan.mask_paths = TRY(GetBoolean(*found, "maskPaths"));
  plan.landlock = TRY(FindBoolean(*found, "landlock"));
  plan.trace_syscalls = TRY(GetBoolean(*found, "traceSyscalls"));
  TRY(DecodeSeccomp(*found, &plan));
  return plan;
}

Result<ContainerPlan> DecodeContainer(const JsonCursor& cursor) {
  ContainerPlan c;
  c.name = TRY(GetString(cursor, "name"));
  c.image = TRY(GetString(cursor, "image"));
  c.image_digest = TRY(GetString(cursor, "imageDigest"));
  c.runtime_id = TRY(GetString(cursor, "runtimeId"));
  c.working_directory = TRY(GetString(cursor, "workingDirectory"));
  c.user = TRY(GetString(cursor, "user"));
  c.is_readonly_root = TRY(GetBoolean(cursor, "readonlyRoot"));
  c.volumes = TRY(cursor.FindStrings("volumes"));
  c.exposed_ports = TRY(cursor.FindStrings("exposedPorts"));
  c.allow_ptrace = TRY(GetBoolean(cursor, "allowPtrace"));
  c.confinement = TRY(DecodeConfinement(cursor));
  JsonCursor limits = TRY(cursor.Get("limits"));
  c.limits = TRY(DecodeLimits(limits));
  c.essential = TRY(GetBoolean(cursor, "essential"));
  c.stop_signal = static_cast<int>(TRY(GetInteger(cursor, "stopSignal", 1, 64)));
  c.stop_timeout = std::chrono::seconds(TRY(GetInteger(cursor, "stopTimeout", 0, 86'400)));
  std::optional<int64_t> start_timeout = TRY(cursor.FindInteger("startTimeout", 0, 86'400));
  if (start_timeout) c.start_timeout = std::chrono::seconds(*start_timeout);
  c.keep_logs = TRY(GetBoolean(cursor, "keepLogs"));
  c.log_directory = TRY(GetString(cursor, "logDirectory"));
  c.log_limit = Bytes(static_cast<uint64_t>(TRY(GetInteger(cursor, "logLimit", 0, INT64_MAX))));
  c.is_log_blocking = TRY(GetBoolean(cursor, "logBlocking"));
  c.log_buffer = Bytes(static_cast<uint64_t>(TRY(GetInteger(cursor, "logBuffer", 0, INT64_MAX))));
  TRY(DecodeLists(cursor, &c));
  return c;
}

Result<NetworkMode> DecodeNetworkMode(const JsonCursor& root) {
  std::string name = TRY(GetString(root, "networkMode"));
  for (NetworkMode mode : {NetworkMode::kAwsvpc, NetworkMode::kHost, NetworkMode::kNone}) {
    if (NetworkModeName(mode) == name) return mode;
  }
  return root.Invalid("networkMode: unknown mode " + name);
}

// A plan of before there were any has none.
Result<UserNamespacePlan> DecodeUserNamespace(const JsonCursor& root) {
  UserNamespacePlan plan;
  std::optional<JsonCursor> found = TRY(root.Find("userNamespace"));
  if (!found) return plan;
  plan.is_wanted = TRY(GetBoolean(*found, "wanted"));
  plan.is_required = TRY(GetBoolean(*found, "required"));
  plan.first_id = static_cast<uint32_t>(TRY(GetInteger(*found, "firstId", 0, UINT32_MAX)));
  return plan;
}

// A plan of before there was one has none.
Result<StoragePlan> DecodeStorage(const JsonCursor& root) {
  StoragePlan plan;
  std::optional<JsonCursor> found = TRY(root.Find("storage"));
  if (!found) return plan;
  plan.limit = Bytes(static_cast<uint64_t>(TRY(GetInteger(*found, "limit", 0, INT64_MAX))));
  plan.is_asked = TRY(GetBoolean(*found, "asked"));
  return plan;
}

Result<PublishedPortPlan> DecodePort(const JsonCursor& cursor) {
  PublishedPortPlan port;
  port.host_port = static_cast<uint16_t>(TRY(GetInteger(cursor, "hostPort", 1, 65'535)));
  port.container_port = static_cast<uint16_t>(TRY(GetInteger(cursor, "containerPort", 1, 65'535)));
  std::string protocol = TRY(GetString(cursor, "protocol"));
  port.protocol = protocol == "udp" ? Protocol::kUdp : Protocol::kTcp;
  return port;
}

}  // namespace

std::string EncodePlan(const TaskPlan& plan) {
  json out = {
      {"version", kPlanVersion},
      {"taskId", plan.id.text()},
      {"family", plan.family},
      {"createdAt", plan.created_at},
      {"dataRoot", plan.roots.data},
      {"runRoot", plan.roots.run},
      {"cgroup", plan.cgroup},
      {"limits", EncodeLimits(plan.limits)},
      {"userNamespace",
       {{"wanted", plan.user_namespace.is_wanted},
        {"required", plan.user_namespace.is_required},
        {"firstId", plan.user_namespace.first_id}}},
      {"storage", {{"limit", plan.storage.limit.count()}, {"asked", plan.storage.is_asked}}},
      {"sharePids", plan.share_pids},
      {"networkMode", std::string(NetworkModeName(plan.network_mode))},
      {"hostname", plan.hostname},
      {"warnings", plan.warnings}};
  out["publishedPorts"] = json::array();
  for (const PublishedPortPlan& port : plan.published_ports) {
    out["publishedPorts"].push_back({{"hostPort", port.host_port},
                                     {"containerPort", port.container_port},
                                     {"protocol", std::string(ProtocolName(port.protocol))}});
  }
  out["containers"] = json::array();
  for (const ContainerPlan& container : plan.containers)
    out["containers"].push_back(EncodeContainer(container));
  return EncodeJson(out, 1);
}

Result<TaskPlan> DecodePlan(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "plan", kMaxPlanBytes.count()));
  JsonCursor root = document.root();
  int64_t version = TRY(GetInteger(root, "version", 0, INT64_MAX));
  if (version != kPlanVersion) {
    return root.Invalid("version " + std::to_string(version) + ": this program knows version " +
                        std::to_string(kPlanVersion));
  }
  std::string id_text = TRY(GetString(root, "taskId"));
  TaskId id = TRY(TaskId::Parse(id_text));
  TaskPlan plan(id);
  plan.family = TRY(GetString(root, "family"));
  plan.created_at = TRY(GetInteger(root, "createdAt", 0, INT64_MAX));
  plan.roots.data = TRY(GetString(root, "dataRoot"));
  plan.roots.run = TRY(GetString(root, "runRoot"));
  plan.cgroup = TRY(GetString(root, "cgroup"));
  JsonCursor limits = TRY(root.Get("limits"));
  plan.limits = TRY(DecodeLimits(limits));
  plan.user_namespace = TRY(DecodeUserNamespace(root));
  plan.storage = TRY(DecodeStorage(root));
  plan.share_pids = TRY(FindBoolean(root, "sharePids"));
  plan.network_mode = TRY(DecodeNetworkMode(root));
  plan.hostname = TRY(GetString(root, "hostname"));
  plan.warnings = TRY(root.FindStrings("warnings"));
  std::vector<JsonCursor> ports = TRY(root.FindElements("publishedPorts"));
  for (const JsonCursor& element : ports) {
    PublishedPortPlan port = TRY(DecodePort(element));
    plan.published_ports.push_back(port);
  }
  std::vector<JsonCursor> containers = TRY(root.FindElements("containers"));
  for (const JsonCursor& element : containers) {
    ContainerPlan container = TRY(DecodeContainer(element));
    plan.containers.push_back(std::move(container));
  }
  return plan;
}

}  // namespace skiff::runtime
