#include "runtime/plan/task_plan.h"

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>

#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "runtime/plan/image_volumes.h"
#include "runtime/plan/limits.h"

namespace skiff::runtime {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr Bytes kDefaultLogBuffer = Bytes::MiB(10);

struct NamedNumber {
  std::string_view name;
  int number;
};

constexpr NamedNumber kRlimits[] = {
    {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

constexpr NamedNumber kSignals[] = {
    {"HUP", SIGHUP},     {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},
    {"TRAP", SIGTRAP},   {"ABRT", SIGABRT}, {"BUS", SIGBUS},   {"FPE", SIGFPE},
    {"KILL", SIGKILL},   {"USR1", SIGUSR1}, {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE},   {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"CONT", SIGCONT},
    {"STOP", SIGSTOP},   {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},
    {"URG", SIGURG},     {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"PROF", SIGPROF},
    {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"PWR", SIGPWR},   {"SYS", SIGSYS},
    {"CHLD", SIGCHLD},   {"IOT", SIGIOT},   {"POLL", SIGPOLL}, {"STKFLT", SIGSTKFLT},
};

template <typename Table>
std::optional<int> FindNumber(const Table& table, std::string_view name) {
  for (const NamedNumber& entry : table) {
    if (entry.name == name) return entry.number;
  }
  return std::nullopt;
}

std::string_view NameOf(const std::string& entry) {
  return std::string_view(entry).substr(0, entry.find('='));
}

// Later entries win, each name stands once.
void SetVariable(std::vector<std::string>* environment, std::string entry) {
  for (std::string& existing : *environment) {
    if (NameOf(existing) == NameOf(entry)) {
      existing = std::move(entry);
      return;
    }
  }
  environment->push_back(std::move(entry));
}

bool HasVariable(const std::vector<std::string>& environment, std::string_view name) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const std::string& e) { return NameOf(e) == name; });
}

std::vector<std::string> EnvironmentOf(const ContainerDefinition& container,
                                       const images::ImageConfig& image) {
  std::vector<std::string> environment;
  for (const std::string& entry : image.env) SetVariable(&environment, entry);
  for (const KeyValue& variable : container.environment) {
    SetVariable(&environment, variable.name + "=" + variable.value);
  }
  if (!HasVariable(environment, "PATH")) environment.push_back("PATH=" + std::string(kDefaultPath));
  return environment;
}

// As Docker: an entry point of the definition's own makes the image's Cmd meaningless, and one that
// is an empty word takes the image's away.
std::vector<std::string> ArgumentsOf(const ContainerDefinition& container,
                                     const images::ImageConfig& image) {
  bool has_own_entry_point = !container.entry_point.empty();
  std::vector<std::string> arguments =
      has_own_entry_point ? container.entry_point : image.entrypoint;
  if (arguments == std::vector<std::string>{""}) arguments.clear();
  bool use_image_command = container.command.empty() && !has_own_entry_point;
  const std::vector<std::string>& rest = use_image_command ? image.cmd : container.command;
  arguments.insert(arguments.end(), rest.begin(), rest.end());
  return arguments;
}

uint64_t HardLimitOf(const HostFacts& host, int resource) {
  if (host.can_raise_limits) {
    return resource == RLIMIT_NOFILE && host.max_open_files > 0 ? host.max_open_files : UINT64_MAX;
  }
  auto found = host.hard_limits.find(resource);
  return found == host.hard_limits.end() ? UINT64_MAX : found->second;
}

std::vector<RlimitPlan> RlimitsOf(const ContainerDefinition& container, const HostFacts& host,
                                  std::vector<std::string>* warnings) {
  std::vector<RlimitPlan> limits;
  for (const Ulimit& wanted : container.ulimits) {
    int resource = RlimitByName(wanted.name).value_or(-1);
    uint64_t ceiling = HardLimitOf(host, resource);
    uint64_t hard = wanted.hard_limit < 0 ? UINT64_MAX : static_cast<uint64_t>(wanted.hard_limit);
    uint64_t soft = wanted.soft_limit < 0 ? UINT64_MAX : static_cast<uint64_t>(wanted.soft_limit);
    if (hard > ceiling) {
      warnings->push_back(container.name + ": ulimit " + wanted.name + ": " +
                          (hard == UINT64_MAX ? "unlimited" : std::to_string(hard)) +
                          " is above this host's hard limit; set to " + std::to_string(ceiling));
    }
    limits.push_back({resource, std::min(soft, ceiling), std::min(hard, ceiling)});
  }
  bool has_open_files = std::any_of(limits.begin(), limits.end(), [](const RlimitPlan& limit) {
    return limit.resource == RLIMIT_NOFILE;
  });
  if (!has_open_files) {
    uint64_t open_files = std::min(kDefaultOpenFiles, HardLimitOf(host, RLIMIT_NOFILE));
    limits.push_back({RLIMIT_NOFILE, open_files, open_files});
  }
  return limits;
}

isolation::CapabilityMask MaskOf(const std::vector<std::string>& names) {
  isolation::CapabilityMask mask = 0;
  for (const std::string& name : names) {
    if (name == "ALL") return ~isolation::CapabilityMask{0};
    if (auto number = isolation::CapabilityByName(name))
      mask |= isolation::CapabilityMask{1} << *number;
  }
  return mask;
}

void SetCapabilities(const ContainerDefinition& container, const IsolationOptions& options,
                     ContainerPlan* plan) {
  plan->capabilities = options.capabilities.value_or(isolation::DefaultCapabilities());
  if (container.linux_parameters && container.linux_parameters->capabilities) {
    const KernelCapabilities& wanted = *container.linux_parameters->capabilities;
    plan->capabilities &= ~MaskOf(wanted.drop);
    plan->capabilities |= MaskOf(wanted.add);
  }
  isolation::CapabilityMask ptrace = MaskOf({"SYS_PTRACE"});
  plan->allow_ptrace = (plan->capabilities & ptrace) != 0;
}

// The command line's word first, then the definition's, then the default: on.
void SetConfinement(const ContainerDefinition& container, const IsolationOptions& options,
                    ConfinementPlan* plan) {
  plan->seccomp = options.seccomp;
  plan->seccomp_program = options.seccomp_program;
  plan->seccomp_flags = options.seccomp_flags;
  plan->mask_paths = options.mask_paths;
  plan->landlock = options.landlock;
  plan->trace_syscalls = options.trace_syscalls;
  for (const std::string& option : container.docker_security_options) {
    if (option == "no-new-privileges:false") plan->no_new_privileges = false;
  }
  plan->no_new_privileges = options.no_new_privileges.value_or(plan->no_new_privileges);
}

void SetLimits(const ContainerDefinition& container, ContainerPlan* plan) {
  plan->limits.memory_max = container.memory;
  plan->limits.memory_low = container.memory_reservation;
  plan->limits.cpu_shares = std::max<uint64_t>(static_cast<uint64_t>(container.cpu), kMinCpuShares);
}

void SetLogs(const ContainerDefinition& container, ContainerPlan* plan) {
  plan->log_limit = kDefaultLogLimit;
  plan->log_buffer = kDefaultLogBuffer;
  if (!container.log_configuration) return;
  const LogConfiguration& logs = *container.log_configuration;
  plan->keep_logs = logs.log_driver != "none";
  // ECS made non-blocking awslogs' default in 2025; a file on this host rarely stalls, and blocking
  // loses nothing.
  auto mode = logs.options.find("mode");
  plan->is_log_blocking = mode == logs.options.end() || mode->second != "non-blocking";
}

Result<> SetStop(const ContainerDefinition& container, const images::ImageConfig& image,
                 ContainerPlan* plan) {
  if (!image.stop_signal.empty()) {
    std::optional<int> signal = SignalByName(image.stop_signal);
    if (!signal)
      return Error(Code::kInvalid,
                   "the image's StopSignal '" + image.stop_signal + "' is no signal");
    plan->stop_signal = *signal;
  }
  plan->stop_timeout = container.stop_timeout.value_or(kDefaultStopTimeout);
  plan->start_timeout = container.start_timeout;
  return {};
}

Result<ContainerPlan> PlanContainer(const ContainerDefinition& container,
                                    const PlanRequest& request,
                                    std::vector<std::string>* warnings) {
  auto found = request.images.find(container.image);
  if (found == request.images.end())
    return Error(Code::kNotFound, "image " + container.image + ": not in the store");
  const PlannedImage& image = found->second;
  ContainerPlan plan;
  plan.name = container.name;
  plan.image = container.image;
  plan.image_digest = image.id;
  plan.runtime_id = ContainerRuntimeId(request.id, container.name);
  plan.layers = image.layers;
  plan.arguments = ArgumentsOf(container, image.config);
  if (plan.arguments.empty()) {
    return Error(Code::kInvalid, "no command: neither the task definition nor image " +
                                     container.image + " has one");
  }
  plan.environment = EnvironmentOf(container, image.config);
  plan.working_directory = container.working_directory.value_or(image.config.working_dir);
  if (plan.working_directory.empty()) plan.working_directory = "/";
  if (plan.working_directory[0] != '/') plan.working_directory.insert(0, "/");
  plan.user = container.user.value_or(image.config.user);
  plan.is_readonly_root = static_cast<bool>(container.readonly_root_filesystem);
  plan.volumes = TRY(PlanImageVolumes(image.config.volumes, container.name, warnings));
  plan.exposed_ports = image.config.exposed_ports;
  plan.essential = container.essential;
  plan.depends_on = container.depends_on;
  SetCapabilities(container, request.isolation, &plan);
  SetConfinement(container, request.isolation, &plan.confinement);
  plan.rlimits = RlimitsOf(container, request.host, warnings);
  SetLimits(container, &plan);
  SetLogs(container, &plan);
  auto logs = request.log_directories.find(container.name);
  plan.log_directory = logs != request.log_directories.end()
                           ? logs->second
                           : request.roots.LogDirectory(request.id, container.name);
  TRY(SetStop(container, image.config, &plan));
  return plan;
}

// What --isolation opens is said every time.
void WarnOfOpenings(const IsolationOptions& options, std::vector<std::string>* warnings) {
  auto warn = [&](const char* text) { warnings->push_back(std::string("--isolation ") + text); };
  if (options.seccomp == SeccompChoice::kNone) {
    warn("seccomp=none: the containers may make every system call");
  }
  if (options.no_new_privileges == false) {
    warn("nnp=off: set-user-id programs of the images raise rights");
  }
  if (!options.mask_paths) {
    warn("masked-paths=off: the kernel's settings in /proc are in reach of the containers");
  }
}

// A namespace of its own has no rights over the host's network: ports below 1024 would be out of
// reach, which is what a task in the host's network is mostly for.
UserNamespacePlan UserNamespaceOf(const IsolationOptions& options, NetworkMode mode,
                                  std::vector<std::string>* warnings) {
  UserNamespacePlan plan;
  plan.is_wanted = options.user_namespace.value_or(mode != NetworkMode::kHost);
  plan.is_required = options.user_namespace.value_or(false);
  if (plan.is_wanted) return plan;
  warnings->push_back(
      std::string(options.user_namespace ? "--isolation userns=off" : "networkMode host") +
      ": no user namespace, the containers' root is the host's");
  return plan;
}

void WarnOfScarcity(const TaskDefinition& definition, const HostFacts& host,
                    std::vector<std::string>* warnings) {
  if (definition.cpu && definition.cpu->cpus() > static_cast<double>(host.cpus)) {
    warnings->push_back("cpu: the task may use " + std::to_string(definition.cpu->count()) +
                        " units, this host has " + std::to_string(host.cpus * 1024));
  }
  if (definition.memory && host.memory.count() > 0 && *definition.memory > host.memory) {
    warnings->push_back("memory: the task may use " + std::to_string(definition.memory->mib()) +
                        " MiB, this host has " + std::to_string(host.memory.mib()));
  }
}

}  // namespace

const ContainerPlan* TaskPlan::Find(std::string_view name) const {
  for (const ContainerPlan& container : containers) {
    if (container.name == name) return &container;
  }
  return nullptr;
}

bool TaskPlan::HasWritableFiles() const {
  return std::any_of(containers.begin(), containers.end(), [](const ContainerPlan& container) {
    return !container.is_readonly_root || !container.volumes.empty();
  });
}

std::optional<int> RlimitByName(std::string_view name) { return FindNumber(kRlimits, name); }

namespace {

// The kernel's are 32 to 64, of which C libraries keep the first two to themselves.
constexpr int kFirstRealTime = 34;
constexpr int kLastRealTime = 64;

// "RTMIN", "RTMIN+3", "RTMAX", "RTMAX-3".
std::optional<int> RealTimeSignal(std::string_view name) {
  bool from_first = name.starts_with("RTMIN");
  if (!from_first && !name.starts_with("RTMAX")) return std::nullopt;
  name.remove_prefix(5);
  if (name.empty()) return from_first ? kFirstRealTime : kLastRealTime;
  if (name[0] != (from_first ? '+' : '-')) return std::nullopt;
  auto offset = ParseUint(name.substr(1), kLastRealTime - kFirstRealTime);
  if (!offset) return std::nullopt;
  int distance = static_cast<int>(*offset);
  return from_first ? kFirstRealTime + distance : kLastRealTime - distance;
}

}  // namespace

std::optional<int> SignalByName(std::string_view text) {
  if (auto number = ParseUint(text, kLastRealTime))
    return *number == 0 ? std::nullopt : std::optional<int>(*number);
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
  std::string_view name = upper;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  std::optional<int> real_time = RealTimeSignal(name);
  return real_time ? real_time : FindNumber(kSignals, name);
}

Result<TaskPlan> MakePlan(const TaskDefinition& definition, const PlanRequest& request) {
  TaskPlan plan(request.id);
  plan.family = definition.family;
  plan.created_at = request.created_at;
  plan.roots = request.roots;
  plan.cgroup = request.roots.CgroupRoot() + "/" + request.id.text();
  plan.network_mode = EffectiveNetworkMode(definition);
  plan.share_pids = request.isolation.share_pids || definition.pid_mode == "task";
  plan.published_ports = request.published_ports;
  plan.limits.memory_max = definition.memory;
  if (definition.cpu) {
    plan.limits.cpu_quota_us =
        static_cast<uint64_t>(definition.cpu->count()) * isolation::kCpuPeriodMicroseconds / 1024;
  }
  plan.limits.pids_max = kDefaultTaskPids;
  plan.storage.limit = kDefaultStorage;
  if (definition.ephemeral_storage) {
    plan.storage = {Bytes::GiB(static_cast<uint64_t>(definition.ephemeral_storage->size_in_gib)),
                    true};
  }
  plan.warnings = request.warnings;
  WarnOfOpenings(request.isolation, &plan.warnings);
  plan.user_namespace = UserNamespaceOf(request.isolation, plan.network_mode, &plan.warnings);
  WarnOfScarcity(definition, request.host, &plan.warnings);
  for (const ContainerDefinition& container : definition.containers) {
    ContainerPlan planned = TRY(
        PlanContainer(container, request, &plan.warnings).Context("container " + container.name));
    if (container.hostname) plan.hostname = *container.hostname;
    plan.containers.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace skiff::runtime
