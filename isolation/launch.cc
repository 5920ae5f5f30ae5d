#include "isolation/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/launch_child.h"
#include "isolation/launch_clone.h"
#include "isolation/launch_limits.h"
#include "isolation/launch_mount.h"
#include "isolation/limits.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/namespace_types.h"
#include "isolation/sys/user_namespace.h"

namespace skiff::isolation {
namespace {

// A page that parent and child both see.
class SharedReport {
 public:
  static Result<SharedReport> Create() {
    void* page = mmap(nullptr, sizeof(LaunchReport), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return Error::FromErrno(errno, "map launch report");
    auto* report = static_cast<LaunchReport*>(page);
    report->listener = -1;
    report->child = -1;
    return SharedReport(report);
  }
  SharedReport(SharedReport&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  SharedReport& operator=(SharedReport&&) = delete;
  ~SharedReport() {
    if (page_ != nullptr) munmap(page_, sizeof(LaunchReport));
  }
  LaunchReport* get() const { return page_; }

 private:
  explicit SharedReport(LaunchReport* page) : page_(page) {}
  LaunchReport* page_;
};

// The spec as the child needs it: pointers into memory that lives until the exec. Built once, then
// not touched.
class PreparedLaunch {
 public:
  Result<> Prepare(const ContainerSpec& spec, const Cgroup* cgroup);
  const ChildPlan& plan() const { return plan_; }
  ChildPlan& plan() { return plan_; }
  std::string DescribeItem(const ContainerSpec& spec, LaunchStep step, int item) const;

 private:
  Result<> AddMount(const MountSpec& mount, int user_namespace, bool is_in_turn);
  void AddDevices(const ContainerSpec& spec);
  Result<> BindDevices(const ContainerSpec& spec);
  void AddNamespaces(const ContainerSpec& spec);
  void AddPaths(const ContainerSpec& spec);
  void AddProgram(const ContainerSpec& spec);
  void AddCredentials(const ContainerSpec& spec);
  void AddScheduling(const ContainerSpec& spec);
  void AddMemoryPolicy(const ContainerSpec& spec);
  const char* Keep(std::string text) { return strings_.emplace_back(std::move(text)).c_str(); }

  ChildPlan plan_{};
  std::deque<std::string> strings_;  // a deque: pointers stay valid
  std::deque<std::vector<ChildOption>> option_lists_;
  std::vector<UniqueFd> binds_;
  std::vector<int> legacy_tasks_;
  std::vector<ChildMount> mounts_;
  std::vector<ChildDevice> devices_;
  std::vector<ChildLink> links_;
  std::vector<ChildSetting> sysctls_;
  std::vector<const char*> readonly_;
  std::vector<const char*> masked_;
  std::vector<ChildRlimit> rlimits_;
  std::vector<gid_t> groups_;
  std::vector<const char*> candidates_;
  std::vector<char*> arguments_;
  std::vector<char*> environment_;
  sock_fprog seccomp_{};
  SchedulingAttributes scheduling_{};
  cpu_set_t processors_{};
  std::vector<unsigned long> memory_nodes_;
};

std::string PathOf(const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    if (entry.rfind("PATH=", 0) == 0) return entry.substr(5);
  }
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

Result<> MapIds(const IdMap& map, int mount, const std::string& source) {
  sys::UserNamespace space =
      TRY(sys::MakeUserNamespace(MapText(map.uids), MapText(map.gids)).Context("id map"));
  return sys::ShowIdsThrough(mount, space.user.get(), map.is_recursive, source);
}

Result<> PreparedLaunch::AddMount(const MountSpec& mount, int user_namespace, bool is_in_turn) {
  ChildMount child{};
  child.target = Keep(mount.target);
  child.attributes = mount.attributes;
  child.cleared = mount.cleared_attributes;
  child.recursive = mount.recursive_attributes;
  child.recursive_cleared = mount.recursive_cleared_attributes;
  child.propagation = mount.propagation;
  child.is_propagation_recursive = mount.is_propagation_recursive;
  if (mount.kind == MountSpec::Kind::kRemount) {
    child.is_remount = true;
    mounts_.push_back(child);
    return {};
  }
  if (mount.kind == MountSpec::Kind::kBind) {
    struct stat info {};
    if (stat(mount.source.c_str(), &info) != 0)
      return Error::FromErrno(errno, "mount source " + mount.source);
    child.is_file = !S_ISDIR(info.st_mode);
    child.is_attributes_recursive = mount.is_attributes_recursive;
    // What gives or takes mounts has to be a clone of what the caller has, not of the child's copy.
    bool has_peers = mount.propagation == kShared || mount.propagation == kSlave;
    child.is_renewed = is_in_turn && has_peers;
    if (is_in_turn && !has_peers && !mount.is_id_mapped && !mount.id_map) {
      child.source = Keep(mount.source);
      child.is_recursive = mount.is_recursive;
      mounts_.push_back(child);
      return {};
    }
    UniqueFd clone = TRY(sys::CloneMount(AT_FDCWD, mount.source, mount.is_recursive));
    if (mount.is_id_mapped && user_namespace >= 0) {
      TRY(sys::ShowIdsThrough(clone.get(), user_namespace, mount.is_recursive, mount.source));
    }
    if (mount.id_map) TRY(MapIds(*mount.id_map, clone.get(), mount.source));
    child.bind_mount = clone.get();
    binds_.push_back(std::move(clone));
  } else {
    std::vector<ChildOption>& options = option_lists_.emplace_back();
    for (const auto& [key, value] : mount.options) {
      options.push_back({Keep(key), value.empty() ? nullptr : Keep(value)});
    }
    child.type = Keep(mount.type);
    child.copies_up = mount.copies_up;
    if (!mount.root_label.empty()) child.root_label = Keep(mount.root_label);
    child.wants_directory = mount.type == "proc" || mount.type == "sysfs";
    constexpr uint64_t kReadOnly = 1;  // MOUNT_ATTR_RDONLY
    child.is_readonly_late = mount.type == "tmpfs" && (mount.attributes & kReadOnly) != 0;
    if (child.is_readonly_late) child.attributes &= ~kReadOnly;
    child.options = options.data();
    child.option_count = options.size();
  }
  mounts_.push_back(child);
  return {};
}

// A user namespace may not make nodes: the host's are bound.
Result<> PreparedLaunch::BindDevices(const ContainerSpec& spec) {
  for (const DeviceSpec& device : spec.devices) {
    if (device.type == 'p') continue;
    struct stat info {};
    const std::string& source = device.host_path.empty() ? device.path : device.host_path;
    bool is_same = stat(source.c_str(), &info) == 0 &&
                   S_ISBLK(info.st_mode) == (device.type == 'b') &&
                   info.st_rdev == makedev(device.major, device.minor);
    if (!is_same) {
      return Error(Code::kInvalid, "device " + device.path +
                                       ": in a user namespace the host's node is bound, and the "
                                       "host has no such device there");
    }
    MountSpec bind;
    bind.kind = MountSpec::Kind::kBind;
    bind.source = source;
    bind.target = device.path;
    TRY(AddMount(bind, -1, false));
    // Where it lies on the host devices may be forbidden.
    TRY(sys::AllowDevices(mounts_.back().bind_mount));
  }
  return {};
}

void PreparedLaunch::AddNamespaces(const ContainerSpec& spec) {
  const NamespaceSpec& namespaces = spec.namespaces;
  plan_.new_cgroup_namespace = namespaces.new_cgroup;
  plan_.new_network_namespace = namespaces.new_network;
  plan_.network_namespace = namespaces.join_network;
  plan_.new_user_namespace = namespaces.new_user;
  plan_.is_user_namespace_entered = namespaces.enter_user >= 0;
  plan_.may_make_nodes = namespaces.MayMakeNodes();
  plan_.may_keep_groups =
      namespaces.HasOwnUser() || namespaces.is_in_user || namespaces.is_rootless;
  plan_.is_rootless = namespaces.is_rootless;
  plan_.join_mount = plan_.join_user = plan_.join_cgroup = -1;
  for (const NamespaceJoin& join : namespaces.joins) {
    if (join.type == sys::kMountNamespace) plan_.join_mount = join.fd;
    if (join.type == sys::kCgroupNamespace) plan_.join_cgroup = join.fd;
    if (join.type == sys::kUserNamespace) plan_.join_user = join.fd;
  }
  plan_.dies_with_caller = spec.dies_with_caller;
  plan_.asks_for_group = spec.asks_for_group;
  plan_.asks_for_links = spec.asks_for_links;
  plan_.pauses_before_pivot = spec.pauses_before_pivot;
  plan_.gate = spec.gate;
  plan_.console_socket = spec.console_socket;
  plan_.console_rows = spec.console_rows;
  plan_.console_columns = spec.console_columns;
  plan_.kept_descriptors = spec.kept_descriptors;
}

void PreparedLaunch::AddDevices(const ContainerSpec& spec) {
  for (const DeviceSpec& device : spec.devices) {
    if (!spec.namespaces.MayMakeNodes() && device.type != 'p') continue;
    mode_t type = device.type == 'p' ? S_IFIFO : device.type == 'b' ? S_IFBLK : S_IFCHR;
    devices_.push_back({Keep(device.path), (device.mode & 07777) | type,
                        makedev(device.major, device.minor), device.uid, device.gid});
  }
  for (const SymlinkSpec& link : spec.symlinks)
    links_.push_back({Keep(link.path), Keep(link.target)});
  for (const auto& [name, value] : spec.sysctls) {
    std::string path = "/proc/sys/" + name;
    for (char& c : path) c = c == '.' ? '/' : c;
    sysctls_.push_back({Keep(path), Keep(value)});
  }
}

void PreparedLaunch::AddPaths(const ContainerSpec& spec) {
  for (const std::string& path : spec.readonly_paths) readonly_.push_back(Keep(path));
  for (const std::string& path : spec.masked_paths) masked_.push_back(Keep(path));
}

void PreparedLaunch::AddProgram(const ContainerSpec& spec) {
  const std::string& program = spec.arguments.front();
  if (program.find('/') != std::string::npos) {
    candidates_.push_back(Keep(program));
  } else if (!program.empty()) {
    std::string path = PathOf(spec.environment);
    for (std::string_view directory : Split(path, ':')) {
      candidates_.push_back(Keep(std::string(directory.empty() ? "." : directory) + "/" + program));
    }
  }
  for (const std::string& argument : spec.arguments)
    arguments_.push_back(const_cast<char*>(Keep(argument)));
  for (const std::string& entry : spec.environment)
    environment_.push_back(const_cast<char*>(Keep(entry)));
  arguments_.push_back(nullptr);
  environment_.push_back(nullptr);
}

void PreparedLaunch::AddScheduling(const ContainerSpec& spec) {
  plan_.io_priority = spec.io_priority.value_or(-1);
  plan_.personality = spec.personality ? static_cast<long>(*spec.personality) : -1;
  if (spec.scheduling) {
    const SchedulingSpec& from = *spec.scheduling;
    scheduling_ = {sizeof(scheduling_), from.policy,  from.flags,    from.nice,
                   from.priority,       from.runtime, from.deadline, from.period};
    plan_.scheduling = &scheduling_;
  }
  if (spec.processors.empty()) return;
  CPU_ZERO(&processors_);
  for (int processor : spec.processors) CPU_SET(static_cast<size_t>(processor), &processors_);
  plan_.processors = &processors_;
}

void PreparedLaunch::AddMemoryPolicy(const ContainerSpec& spec) {
  plan_.memory_policy = -1;
  if (!spec.memory_policy) return;
  plan_.memory_policy = spec.memory_policy->mode;
  if (spec.memory_policy->nodes.empty()) return;
  constexpr size_t kBits = 8 * sizeof(unsigned long);
  memory_nodes_.assign(kMaxMemoryNodes / kBits, 0);
  for (unsigned node : spec.memory_policy->nodes)
    memory_nodes_[node / kBits] |= 1UL << (node % kBits);
  plan_.memory_nodes = memory_nodes_.data();
}

void PreparedLaunch::AddCredentials(const ContainerSpec& spec) {
  for (const RlimitSpec& limit : spec.rlimits)
    rlimits_.push_back({limit.resource, {limit.soft, limit.hard}});
  groups_.assign(spec.user.groups.begin(), spec.user.groups.end());
  plan_.keeps_groups = spec.keeps_groups;
  plan_.uid = spec.user.uid;
  plan_.gid = spec.user.gid;
  plan_.umask = spec.umask;
  plan_.bounding = spec.capabilities.bounding;
  plan_.permitted = spec.capabilities.permitted;
  plan_.effective = spec.capabilities.effective;
  plan_.inheritable = spec.capabilities.inheritable;
  plan_.ambient = spec.capabilities.ambient;
  plan_.no_new_privileges = spec.no_new_privileges;
  if (!spec.apparmor_profile.empty())
    plan_.apparmor_command = Keep("exec " + spec.apparmor_profile);
  if (!spec.selinux_label.empty()) plan_.selinux_label = Keep(spec.selinux_label);
  AddScheduling(spec);
  AddMemoryPolicy(spec);
  if (spec.oom_score_adj) plan_.oom_score_adj = Keep(std::to_string(*spec.oom_score_adj));
  plan_.seccomp_flags = spec.seccomp_flags;
  plan_.seccomp_listens = spec.seccomp != nullptr && spec.seccomp_listens;
  plan_.landlock = spec.landlock;
  if (spec.seccomp != nullptr) {
    seccomp_.len = static_cast<uint16_t>(spec.seccomp->size());
    seccomp_.filter =
        reinterpret_cast<sock_filter*>(const_cast<SeccompInstruction*>(spec.seccomp->data()));
    plan_.seccomp = &seccomp_;
  }
}

Result<> PreparedLaunch::Prepare(const ContainerSpec& spec, const Cgroup* cgroup) {
  if (spec.arguments.empty())
    return Error(Code::kInvalid, "no command: the image has none and none is given");
  for (const MountSpec& mount : spec.mounts)
    TRY(AddMount(mount, spec.namespaces.join_user, spec.binds_in_turn));
  if (!spec.namespaces.MayMakeNodes()) TRY(BindDevices(spec));
  AddDevices(spec);
  AddNamespaces(spec);
  AddPaths(spec);
  AddProgram(spec);
  AddCredentials(spec);
  if (cgroup != nullptr) {
    for (const UniqueFd& tasks : cgroup->legacy_tasks()) legacy_tasks_.push_back(tasks.get());
  }
  plan_.legacy_tasks = legacy_tasks_.data();
  plan_.legacy_tasks_count = legacy_tasks_.size();
  plan_.user_namespace = spec.namespaces.join_user;
  plan_.owner = spec.first_id;
  plan_.root_mount = spec.root_mount;
  plan_.attach_point = Keep(spec.attach_point);
  plan_.shares_mounts = !spec.namespaces.new_mount && plan_.join_mount < 0;
  plan_.kept_root = spec.kept_root;
  plan_.is_root_readonly = spec.is_root_readonly;
  plan_.moves_root = spec.moves_root;
  plan_.root_propagation = spec.root_propagation;
  plan_.is_root_propagation_recursive = spec.is_root_propagation_recursive;
  plan_.mounts = mounts_.data();
  plan_.mount_count = mounts_.size();
  plan_.devices = devices_.data();
  plan_.device_count = devices_.size();
  plan_.links = links_.data();
  plan_.link_count = links_.size();
  plan_.sysctls = sysctls_.data();
  plan_.sysctl_count = sysctls_.size();
  plan_.readonly_paths = readonly_.data();
  plan_.readonly_count = readonly_.size();
  plan_.masked_paths = masked_.data();
  plan_.masked_count = masked_.size();
  plan_.hostname = Keep(spec.hostname);
  plan_.hostname_size = spec.hostname.size();
  plan_.domainname = Keep(spec.domainname);
  plan_.domainname_size = spec.domainname.size();
  plan_.new_session = spec.new_session;
  plan_.new_keyring = spec.new_keyring;
  std::copy(std::begin(spec.standard_fds), std::end(spec.standard_fds), plan_.standard_fds);
  plan_.working_directory = Keep(spec.working_directory);
  plan_.rlimits = rlimits_.data();
  plan_.rlimit_count = rlimits_.size();
  plan_.groups = groups_.data();
  plan_.group_count = groups_.size();
  plan_.candidates = candidates_.data();
  plan_.candidate_count = candidates_.size();
  plan_.arguments = arguments_.data();
  plan_.environment = environment_.data();
  return {};
}

std::string PreparedLaunch::DescribeItem(const ContainerSpec& spec, LaunchStep step,
                                         int item) const {
  if (step == LaunchStep::kExec) return spec.arguments.front();
  if (step == LaunchStep::kDirectory) return spec.working_directory;
  if (item < 0) return "";
  size_t index = static_cast<size_t>(item);
  auto path_at = [](const auto& list, size_t i) {
    return i < list.size() ? std::string(list[i]) : "";
  };
  switch (step) {
    case LaunchStep::kMounts:
      return index < mounts_.size() ? mounts_[index].target : "";
    case LaunchStep::kDevices:
      if (index < devices_.size()) return devices_[index].path;
      return index - devices_.size() < links_.size() ? links_[index - devices_.size()].path : "";
    case LaunchStep::kSysctl:
      return index < sysctls_.size() ? sysctls_[index].path : "";
    case LaunchStep::kProtect:
      return index < readonly_.size() ? path_at(readonly_, index)
                                      : path_at(masked_, index - readonly_.size());
    case LaunchStep::kLabel:
      return index == 0 ? "of AppArmor, profile " + spec.apparmor_profile
                        : "of SELinux, " + spec.selinux_label;
    case LaunchStep::kLimits:
      if (index < rlimits_.size()) return "resource " + std::to_string(rlimits_[index].resource);
      return index - rlimits_.size() == kMemoryPolicyItem ? "linux.memoryPolicy: set_mempolicy"
                                                          : "scheduler, ioPriority or personality";
    default:
      return "";
  }
}

Error DescribeFailure(const ContainerSpec& spec, const PreparedLaunch& prepared, LaunchStep step,
                      int error_number, int item) {
  std::string object = prepared.DescribeItem(spec, step, item);
  if (step == LaunchStep::kExec && error_number == ENOENT) {
    bool is_searched = object.find('/') == std::string::npos;
    return Error(Code::kNotFound, "exec " + object + ": " +
                                      (is_searched ? "executable file not found in $PATH"
                                                   : "no such file or directory"));
  }
  std::string what(LaunchStepName(step));
  if (!object.empty()) what += " " + object;
  if (step == LaunchStep::kMounts && error_number == ELOOP)
    what += ": the image has a link in its place, and it must be mounted on ordinary directory";
  if (object.starts_with("linux.memoryPolicy") && error_number == ENOSYS)
    what += ": this kernel has no NUMA";
  return Error::FromErrno(error_number, what);
}

// In test builds SKIFF_LAUNCH_FAILPOINT="STEP:errno" or "STEP:kill" makes one child step fail.
void ArmFailpoint([[maybe_unused]] ChildPlan* plan) {
#ifdef SKIFF_FAILPOINTS
  const char* text = getenv("SKIFF_LAUNCH_FAILPOINT");
  if (text == nullptr) return;
  std::vector<std::string_view> parts = Split(text, ':');
  plan->failpoint_step = static_cast<int>(ParseUint(parts[0]).value_or(0));
  plan->is_failpoint_kill = parts.size() > 1 && parts[1] == "kill";
#endif
}

void KillAndReap(const sys::Process& process) {
  sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
  [[maybe_unused]] auto reaped = sys::WaitPidfd(process.pidfd.get(), true);
}

Result<> WriteIdMaps(const NamespaceSpec& namespaces, pid_t pid) {
  std::string process = "/proc/" + std::to_string(pid);
  Result<> groups =
      sys::WriteControl(AT_FDCWD, process + "/gid_map", MapText(namespaces.gid_mappings));
  if (!groups.ok() && groups.error().sys_errno() == EPERM) {
    // Who maps only himself has to give up setgroups(2) first: user_namespaces(7).
    TRY(sys::WriteControl(AT_FDCWD, process + "/setgroups", "deny"));
    groups = sys::WriteControl(AT_FDCWD, process + "/gid_map", MapText(namespaces.gid_mappings));
  }
  TRY(std::move(groups));
  return sys::WriteControl(AT_FDCWD, process + "/uid_map", MapText(namespaces.uid_mappings));
}

// Takes the child's listener as soon as there is one. A child that fails instead says so in the
// pipe.
Result<> TakeListener(const LaunchCallbacks& callbacks, const sys::Process& process,
                      LaunchReport* report, int error_pipe) {
  constexpr std::chrono::milliseconds kBetweenLooks{1};
  while (report->listener < 0) {
    bool has_failed = TRY(sys::PollReadable(error_pipe, kBetweenLooks));
    if (has_failed) return {};
  }
  auto take = [&]() -> Result<> {
    UniqueFd listener = TRY(sys::CopyDescriptor(process.pidfd.get(), report->listener));
    return callbacks.on_listener(process.pid, std::move(listener));
  };
  Result<> taken = take();
  report->listener_answer = taken.ok() ? kListenerTaken : kListenerRefused;
  return taken;
}

// 0 when the error pipe closed without a word: the exec has happened. What the child asks for on
// the way is done here.
Result<char> AwaitExec(const ContainerSpec& spec, const LaunchCallbacks& callbacks,
                       const sys::Process& process, LaunchReport* report, int error_pipe,
                       int resume) {
  for (;;) {
    bool is_ready = TRY(sys::PollReadable(error_pipe, kLaunchTimeout));
    if (!is_ready) return Error(Code::kTimeout, "set-up took longer than 30 s");
    char byte = 0;
    TRY(sys::Read(error_pipe, &byte, 1));
    if (byte == kLaunchListens) {
      TRY(TakeListener(callbacks, process, report, error_pipe));
      continue;
    }
    switch (byte) {
      case kLaunchWantsGroup:
        TRY(callbacks.join_group(process.pid));
        break;
      case kLaunchWantsIds:
        TRY(WriteIdMaps(spec.namespaces, process.pid));
        break;
      case kLaunchWantsLinks:
        TRY(callbacks.on_network(process.pid));
        break;
      case kLaunchWantsHooks:
        if (callbacks.before_pivot) TRY(callbacks.before_pivot(process.pid));
        break;
      default:
        return byte;
    }
    TRY(sys::WriteAll(resume, "g", "launch"));
  }
}

}  // namespace

int LaunchFailure::ExitCode() const {
  if (step != LaunchStep::kExec) return 128;
  return error_number == ENOENT || error_number == ENOTDIR ? 127 : 126;
}

Result<Launched> Launch(const ContainerSpec& spec, const Cgroup* cgroup, LaunchFailure* failure,
                        const LaunchCallbacks& callbacks) {
  PreparedLaunch prepared;
  TRY(prepared.Prepare(spec, cgroup));
  SharedReport report = TRY(SharedReport::Create());
  sys::Pipe errors = TRY(sys::MakePipe());
  sys::Pipe resume = TRY(sys::MakePipe());
  prepared.plan().report = report.get();
  prepared.plan().error_pipe = errors.write_end.get();
  prepared.plan().error_pipe_reader = errors.read_end.get();
  prepared.plan().resume = resume.read_end.get();
  prepared.plan().resume_writer = resume.write_end.get();
  ArmFailpoint(&prepared.plan());
  TRY(failpoint::Check("clone3"));

  int64_t begin = MonotonicNanoseconds();
  Launched launched;
  launched.process =
      TRY(CloneChild(spec.namespaces, spec.asks_for_group ? nullptr : cgroup, prepared.plan()));
  errors.write_end.Reset();

  Result<char> answer = AwaitExec(spec, callbacks, launched.process, report.get(),
                                  errors.read_end.get(), resume.write_end.get());
#ifdef SKIFF_FAILPOINTS
  if (answer.ok() && answer.value() == kLaunchKillParent) kill(getpid(), SIGKILL);
#endif
  LaunchStep step = report.get()->step;
  bool is_at_gate = answer.ok() && answer.value() == kLaunchReady;
  bool is_killed_before_exec = answer.ok() && answer.value() == 0 && step != LaunchStep::kExec;
  if (!answer.ok() || (answer.value() != 0 && !is_at_gate) || is_killed_before_exec) {
    KillAndReap(launched.process);
    int error_number = report.get()->error_number;
    if (failure != nullptr) *failure = {step, error_number};
    if (!answer.ok()) return std::move(answer).error().Context(LaunchStepName(step));
    if (is_killed_before_exec) {
      return Error(Code::kInternal, std::string(LaunchStepName(step)) + ": the process was killed");
    }
    return DescribeFailure(spec, prepared, step, error_number, report.get()->item);
  }
  report.get()->finished_at[static_cast<int>(LaunchStep::kExec)] = MonotonicNanoseconds();
  int64_t previous = begin;
  for (size_t each = 0; each <= static_cast<size_t>(LaunchStep::kExec); ++each) {
    int64_t finished = report.get()->finished_at[each];
    launched.step_nanoseconds[each] = std::max<int64_t>(0, finished - previous);
    previous = std::max(previous, finished);
  }
  return launched;
}

}  // namespace skiff::isolation
