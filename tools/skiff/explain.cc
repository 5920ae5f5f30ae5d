#include "tools/skiff/explain.h"

#include <signal.h>

#include <algorithm>

#include "isolation/seccomp.h"
#include "isolation/seccomp_profile.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/plan/container_spec.h"
#include "runtime/plan/limits.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

using isolation::ContainerSpec;
using isolation::MountSpec;
using runtime::ContainerDefinition;
using runtime::ContainerPlan;
using runtime::SeccompChoice;

constexpr const char* kDefault = "default";

std::string Join(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

// Gathers the items of one part.
class Part {
 public:
  explicit Part(std::string name) { part_.name = std::move(name); }
  void Add(std::string what, std::string value, std::string rule) {
    part_.items.push_back({std::move(what), {std::move(value)}, std::move(rule)});
  }
  void AddList(std::string what, std::vector<std::string> values, std::string rule) {
    part_.items.push_back({std::move(what), std::move(values), std::move(rule)});
  }
  ExplainedPart Finish() { return std::move(part_); }

 private:
  ExplainedPart part_;
};

std::string NetworkText(runtime::NetworkMode mode) {
  switch (mode) {
    case runtime::NetworkMode::kAwsvpc:
      return "a namespace of the task with an address of its own";
    case runtime::NetworkMode::kNone:
      return "a namespace of the task with nothing but loopback";
    default:
      return "the host's";
  }
}

void AddLimits(const runtime::LimitsPlan& plan, const ExplainInput& input, const std::string& path,
               Part* part) {
  isolation::CgroupLimits limits = runtime::CgroupLimitsOf(plan);
  std::string memory_rule = limits.memory_max ? path + "memory" : kDefault;
  part->Add("memory",
            limits.memory_max
                ? FormatSize(limits.memory_max->count()) + " at most (" + input.memory_by + ")"
                : "not limited by itself",
            memory_rule);
  if (limits.memory_low) {
    part->Add("memory reservation", FormatSize(limits.memory_low->count()),
              path + "memoryReservation");
  }
  if (limits.cpu_quota_us) {
    part->Add("cpu",
              std::to_string(*limits.cpu_quota_us) + " us of every " +
                  std::to_string(isolation::kCpuPeriodMicroseconds) + " (" + input.cpu_by + ")",
              path + "cpu");
  }
  if (limits.cpu_shares) {
    part->Add("cpu share",
              "weight " + std::to_string(isolation::CpuWeightOfShares(*limits.cpu_shares)) +
                  " beside the others (" + input.cpu_by + ")",
              *limits.cpu_shares > runtime::kMinCpuShares ? path + "cpu" : kDefault);
  }
  if (limits.pids_max) {
    part->Add("processes", std::to_string(*limits.pids_max) + " at most (" + input.pids_by + ")",
              kDefault);
  }
}

std::string UserNamespaceText(const ExplainInput& input) {
  if (!input.plan->user_namespace.is_wanted) return "the host's: ids inside are ids outside";
  if (!input.user_namespace_missing.empty()) {
    return "the host's: " + input.user_namespace_missing;
  }
  return "its own: ids 0 to " + std::to_string(sys::kIdBlockSize - 1) +
         " are a block of the host's that no other task has";
}

std::string UserNamespaceRule(const ExplainInput& input) {
  if (input.options->user_namespace) return "--isolation userns";
  return input.plan->user_namespace.is_wanted ? kDefault : "networkMode";
}

bool HasUserNamespace(const ExplainInput& input) {
  return input.plan->user_namespace.is_wanted && input.user_namespace_missing.empty();
}

std::string StorageText(const runtime::TaskPlan& plan) {
  if (!plan.HasWritableFiles()) return "none: no container may write into its files";
  return FormatSize(plan.storage.limit.count()) + " at most" +
         (plan.storage.is_asked ? "" : ", where the data root has project quotas");
}

std::string StorageRule(const runtime::TaskPlan& plan) {
  if (!plan.HasWritableFiles()) return "readonlyRootFilesystem";
  return plan.storage.is_asked ? "ephemeralStorage" : kDefault;
}

ExplainedPart ExplainTask(const ExplainInput& input) {
  const runtime::TaskPlan& plan = *input.plan;
  Part part("task " + plan.family);
  part.Add("network", NetworkText(plan.network_mode),
           input.definition->network_mode && !input.is_image ? "networkMode" : kDefault);
  for (const runtime::PublishedPortPlan& port : plan.published_ports) {
    part.Add("port",
             std::to_string(port.host_port) + " of the host to " +
                 std::to_string(port.container_port) + "/" +
                 std::string(runtime::ProtocolName(port.protocol)),
             "--publish");
  }
  part.Add("user namespace", UserNamespaceText(input), UserNamespaceRule(input));
  part.Add("cgroup", plan.cgroup, "the task's id");
  part.Add("ephemeral storage", StorageText(plan), StorageRule(plan));
  AddLimits(plan.limits, input, "", &part);
  return part.Finish();
}

std::string MountText(const MountSpec& mount) {
  std::string text = mount.target + ": ";
  switch (mount.kind) {
    case MountSpec::Kind::kBind:
      text += "bind of " + mount.source;
      break;
    case MountSpec::Kind::kCgroup:
      text += "cgroup2, its own";
      break;
    case MountSpec::Kind::kFilesystem:
      text += mount.type;
      break;
    case MountSpec::Kind::kRemount:
      text += "as it is mounted, with other attributes";
      break;
  }
  constexpr uint64_t kReadOnly = 1;  // MOUNT_ATTR_RDONLY
  return text + ((mount.attributes & kReadOnly) != 0 ? ", read-only" : "");
}

void AddProcess(const ContainerPlan& plan, const ContainerDefinition& definition,
                const ContainerSpec& spec, const std::string& path, Part* part) {
  part->Add("image", plan.image + " (" + plan.image_digest + ")", path + "image");
  std::vector<std::string> sources;
  if (!definition.entry_point.empty()) sources.push_back(path + "entryPoint");
  if (!definition.command.empty()) sources.push_back(path + "command");
  part->AddList("program", spec.arguments, sources.empty() ? "the image" : Join(sources, ", "));
  std::vector<std::string> origins = {"the image"};
  if (!definition.environment.empty()) origins.push_back(path + "environment");
  part->AddList("environment", spec.environment, Join(origins, ", "));
  part->Add("user", plan.user.empty() ? "root" : plan.user,
            definition.user ? path + "user" : "the image");
  part->Add("working directory", spec.working_directory,
            definition.working_directory ? path + "workingDirectory" : "the image");
  part->Add("root file system",
            std::to_string(plan.layers.size()) +
                (plan.is_readonly_root ? " layers, read-only" : " layers and a writable one"),
            plan.is_readonly_root ? path + "readonlyRootFilesystem" : kDefault);
  if (!plan.volumes.empty()) part->AddList("volumes", plan.volumes, "the image");
  if (!plan.exposed_ports.empty()) part->AddList("exposed ports", plan.exposed_ports, "the image");
  part->Add("stop signal",
            std::to_string(plan.stop_signal) + ", then after " +
                std::to_string(plan.stop_timeout.count()) + " s SIGKILL",
            plan.stop_signal == SIGTERM ? kDefault : "the image");
  part->Add("descriptors", "0, 1 and 2", kDefault);
}

void AddNamespaces(const ContainerSpec& spec, const ExplainInput& input, Part* part) {
  runtime::NetworkMode mode = input.plan->network_mode;
  std::vector<std::string> own;
  const isolation::NamespaceSpec& namespaces = spec.namespaces;
  if (namespaces.new_pid) own.emplace_back("pid");
  if (namespaces.new_mount) own.emplace_back("mount");
  if (namespaces.new_uts) own.emplace_back("uts");
  if (namespaces.new_ipc) own.emplace_back("ipc");
  if (namespaces.new_cgroup) own.emplace_back("cgroup");
  part->AddList("namespaces of its own", own, kDefault);
  std::vector<std::string> shared = {
      HasUserNamespace(input) ? "user (the task's)" : "user (the host's)", "time (the host's)"};
  if (!namespaces.new_pid) shared.emplace_back("pid (the task's)");
  shared.emplace_back(mode == runtime::NetworkMode::kHost ? "network (the host's)"
                                                          : "network (the task's)");
  std::string rule = mode == runtime::NetworkMode::kHost ? "networkMode" : "";
  if (!namespaces.new_pid) {
    rule += (rule.empty() ? "" : ", ") +
            std::string(input.options->share_pids ? "--isolation pidns" : "pidMode");
  }
  part->AddList("namespaces shared", shared, rule.empty() ? kDefault : rule);
}

// A name other than root's may still be 0 in the image: that shows at the start.
bool IsRoot(const ContainerPlan& plan) {
  std::string name = plan.user.substr(0, plan.user.find(':'));
  return name.empty() || name == "root" || name == "0";
}

std::string CapabilityRule(const ContainerDefinition& definition,
                           const runtime::IsolationOptions& options, const std::string& path) {
  std::string rule = options.capabilities ? "--isolation caps" : kDefault;
  if (definition.linux_parameters && definition.linux_parameters->capabilities) {
    rule += ", " + path + "linuxParameters.capabilities";
  }
  return rule;
}

std::string SeccompText(const ContainerPlan& plan) {
  switch (plan.confinement.seccomp) {
    case SeccompChoice::kNone:
      return "none: every system call";
    case SeccompChoice::kProfile:
      return "a profile of " + std::to_string(plan.confinement.seccomp_program.size()) +
             " instructions";
    default:
      break;
  }
  size_t count = isolation::DefaultSeccompAllowedCount({.allow_ptrace = plan.allow_ptrace});
  return std::to_string(count) + " system calls allowed, others answer EPERM or ENOSYS";
}

std::vector<std::string> NamesOf(std::span<const isolation::SeccompValue> values) {
  std::vector<std::string> names;
  for (const isolation::SeccompValue& value : values) names.emplace_back(value.name);
  return names;
}

void AddRights(const ContainerPlan& plan, const ContainerDefinition& definition,
               const runtime::IsolationOptions& options, const std::string& path, Part* part) {
  std::vector<std::string> names = isolation::CapabilityNames(plan.capabilities);
  if (names.empty()) names.emplace_back("none");
  part->AddList(IsRoot(plan) ? "capabilities" : "capabilities, once root", names,
                CapabilityRule(definition, options, path));
  part->Add("inheritable, ambient", "none", kDefault);
  const auto& given = definition.docker_security_options;
  bool is_given = !given.empty();
  part->Add("no_new_privs", plan.confinement.no_new_privileges ? "on" : "off",
            options.no_new_privileges ? "--isolation nnp"
            : is_given                ? path + "dockerSecurityOptions"
                                      : kDefault);
  part->Add("landlock",
            plan.confinement.landlock
                ? "no device nodes, no changes of mounts, no signals nor abstract sockets out of it"
                : "off",
            plan.confinement.landlock ? "--isolation landlock" : kDefault);
  bool is_chosen = plan.confinement.seccomp != SeccompChoice::kDefault;
  std::string rule = is_chosen ? "--isolation seccomp" : kDefault;
  if (!options.seccomp_source.empty()) rule += "=" + options.seccomp_source;
  part->Add("seccomp", SeccompText(plan), rule);
  if (plan.confinement.seccomp == SeccompChoice::kDefault) {
    part->AddList("sockets", NamesOf(isolation::AllowedSocketFamilies()), rule);
    part->AddList("netlink", NamesOf(isolation::AllowedNetlinkProtocols()), rule);
  }
}

void AddFiles(const ContainerSpec& spec, const ContainerPlan& plan, Part* part) {
  std::vector<std::string> mounts;
  for (const MountSpec& mount : spec.mounts) mounts.push_back(MountText(mount));
  part->AddList("mounts", mounts, kDefault);
  std::vector<std::string> devices;
  for (const isolation::DeviceSpec& device : spec.devices) devices.push_back(device.path);
  part->AddList("devices", devices, kDefault);
  std::string rule = plan.confinement.mask_paths ? kDefault : "--isolation masked-paths";
  auto shown = [](const std::vector<std::string>& paths) {
    return paths.empty() ? std::vector<std::string>{"none"} : paths;
  };
  part->AddList("masked paths", shown(spec.masked_paths), rule);
  part->AddList("read-only paths", shown(spec.readonly_paths), rule);
}

std::string LimitText(uint64_t value) {
  return value == UINT64_MAX ? "unlimited" : std::to_string(value);
}

void AddRlimits(const ContainerPlan& plan, const ContainerDefinition& definition,
                const std::string& path, Part* part) {
  for (const runtime::RlimitPlan& limit : plan.rlimits) {
    bool is_given = false;
    std::string name = "open files";
    for (const runtime::Ulimit& wanted : definition.ulimits) {
      if (runtime::RlimitByName(wanted.name) != limit.resource) continue;
      is_given = true;
      name = wanted.name;
    }
    part->Add("ulimit " + name, LimitText(limit.soft) + ":" + LimitText(limit.hard),
              is_given ? path + "ulimits" : kDefault);
  }
}

ExplainedPart ExplainContainer(const ExplainInput& input, size_t index) {
  const ContainerPlan& plan = input.plan->containers[index];
  const ContainerDefinition& definition = input.definition->containers[index];
  std::string path = input.is_image ? "" : "containerDefinitions[" + std::to_string(index) + "].";
  ContainerSpec spec = runtime::SpecOf(*input.plan, plan, input.plan->hostname);
  Part part("container " + plan.name);
  AddProcess(plan, definition, spec, path, &part);
  AddNamespaces(spec, input, &part);
  AddRights(plan, definition, *input.options, path, &part);
  AddLimits(plan.limits, input, path, &part);
  AddRlimits(plan, definition, path, &part);
  AddFiles(spec, plan, &part);
  return part.Finish();
}

}  // namespace

std::vector<ExplainedPart> ExplainPlan(const ExplainInput& input) {
  std::vector<ExplainedPart> parts = {ExplainTask(input)};
  for (size_t i = 0; i < input.plan->containers.size(); ++i) {
    parts.push_back(ExplainContainer(input, i));
  }
  return parts;
}

std::string FormatExplained(const std::vector<ExplainedPart>& parts) {
  size_t width = 0;
  for (const ExplainedPart& part : parts) {
    for (const ExplainedItem& item : part.items) width = std::max(width, item.what.size());
  }
  std::string text;
  for (const ExplainedPart& part : parts) {
    text += (text.empty() ? "" : "\n") + Printable(part.name) + "\n";
    for (const ExplainedItem& item : part.items) {
      std::string what = item.what + std::string(width - item.what.size(), ' ');
      std::vector<std::string> values;
      for (const std::string& value : item.values) values.push_back(Printable(value));
      // Long values, mounts say, stand one on a line.
      bool is_long = Join(values, ", ").size() > 60;
      std::string between = is_long ? "\n" + std::string(width + 4, ' ') : ", ";
      text += "  " + what + "  " + Join(values, between) + "  [" + item.rule + "]\n";
    }
  }
  return text;
}

}  // namespace skiff::tools
