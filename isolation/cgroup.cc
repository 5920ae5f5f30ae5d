#include "isolation/cgroup.h"

#include <fcntl.h>

#include <algorithm>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/cgroup_settings.h"
#include "isolation/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::isolation {
namespace {

// "key value" lines, as in memory.events, cpu.stat and memory.oom_control.
std::optional<uint64_t> FlatKey(int dirfd, const std::string& file, std::string_view key) {
  Result<std::string> text = sys::ReadFile(dirfd, file);
  if (!text.ok()) return std::nullopt;
  for (std::string_view line : Split(text.value(), '\n')) {
    size_t space = line.find(' ');
    if (space != std::string_view::npos && line.substr(0, space) == key)
      return ParseUint(line.substr(space + 1));
  }
  return std::nullopt;
}

std::optional<uint64_t> SingleNumber(int dirfd, const std::string& file) {
  Result<std::string> text = sys::ReadFile(dirfd, file);
  if (!text.ok()) return std::nullopt;
  return ParseUint(TrimSpace(text.value()));
}

bool ListsWord(std::string_view text, std::string_view word) {
  for (std::string_view candidate : Split(TrimSpace(text), ' ')) {
    if (candidate == word) return true;
  }
  return false;
}

// "a/b/c" gives "a", "a/b", "a/b/c".
std::vector<std::string> Prefixes(const std::string& path) {
  std::vector<std::string> prefixes;
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    prefixes.push_back(path.substr(0, slash));
  }
  prefixes.push_back(path);
  return prefixes;
}

Result<> MakeGroup(const std::string& directory) {
  Result<> made = sys::MakeDirectory(AT_FDCWD, directory, 0755);
  if (!made.ok() && made.error().sys_errno() == EEXIST) return {};
  return made;
}

Result<> MakeGroups(const std::string& mount, const std::string& path) {
  // Mostly all but the last are there.
  Result<> at_once = MakeGroup(mount + "/" + path);
  if (at_once.ok() || at_once.error().sys_errno() != ENOENT) return at_once;
  for (const std::string& prefix : Prefixes(path)) TRY(MakeGroup(mount + "/" + prefix));
  return {};
}

// A new cpuset has no processors and no memory, and takes no process until it has.
Result<> FillCpusets(const std::string& mount, const std::string& path) {
  std::string parent = mount;
  for (const std::string& prefix : Prefixes(path)) {
    std::string group = mount + "/" + prefix;
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
      std::string own = TRY(sys::ReadFile(AT_FDCWD, group + file));
      if (!TrimSpace(own).empty()) continue;
      std::string inherited = TRY(sys::ReadFile(AT_FDCWD, parent + file));
      TRY(sys::WriteControl(AT_FDCWD, group + file, TrimSpace(inherited)));
    }
    parent = group;
  }
  return {};
}

// Of a v1 mount's options those that name what the hierarchy has: cgroups(7).
bool IsHierarchyName(std::string_view option) {
  constexpr std::array<std::string_view, 7> kOthers = {
      "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods"};
  bool is_other = std::find(kOthers.begin(), kOthers.end(), option) != kOthers.end();
  return !is_other && option.rfind("release_agent=", 0) != 0;
}

bool IsLimiting(std::string_view option) {
  return std::any_of(kControllers.begin(), kControllers.end(),
                     [&](Controller controller) { return option == ControllerName(controller); });
}

// A group whose last process has just gone can be busy for a moment: its css is released by RCU.
// The kernel offers no event for that, so the attempt is repeated after waiting on the group's own
// events file.
Result<> RemoveGroup(const std::string& directory) {
  constexpr int kAttempts = 200;
  for (int attempt = 1;; ++attempt) {
    Result<> removed = sys::RemoveDirectory(AT_FDCWD, directory);
    if (removed.ok() || removed.error().sys_errno() == ENOENT) return {};
    if (removed.error().sys_errno() != EBUSY || attempt == kAttempts) return removed;
    timespec pause{.tv_sec = 0, .tv_nsec = 5'000'000};
    nanosleep(&pause, nullptr);
  }
}

Result<> RemoveGroupTree(const std::string& directory) {
  // Mostly there is nothing below; reading some thirty interface files' names costs more.
  Result<> at_once = sys::RemoveDirectory(AT_FDCWD, directory);
  if (at_once.ok() || at_once.error().sys_errno() == ENOENT) return {};
  Result<std::vector<std::string>> names = sys::ListSubdirectories(AT_FDCWD, directory);
  if (!names.ok()) {
    if (names.error().code() == Code::kNotFound) return {};
    return std::move(names).error();
  }
  Result<> first;
  for (const std::string& name : names.value()) {
    Result<> removed = RemoveGroupTree(directory + "/" + name);
    if (first.ok()) first = std::move(removed);
  }
  Result<> removed = RemoveGroup(directory);
  return first.ok() ? std::move(removed) : std::move(first);
}

// Before 5.14 there is no cgroup.kill: signal each process, again, until none is listed.
Result<> KillOneByOne(int group) {
  for (int round = 0; round < 1000; ++round) {
    std::string text = TRY(sys::ReadFile(group, "cgroup.procs"));
    if (TrimSpace(text).empty()) return {};
    for (std::string_view line : Split(TrimSpace(text), '\n')) {
      std::optional<uint64_t> pid = ParseUint(line, INT32_MAX);
      if (!pid || *pid == 0) continue;
      Result<UniqueFd> pidfd = sys::OpenPidfd(static_cast<pid_t>(*pid));
      if (pidfd.ok()) sys::SignalPidfd(pidfd.value().get(), SIGKILL).Ignore();
    }
  }
  return Error(Code::kTimeout, "kill cgroup: new processes keep appearing");
}

}  // namespace

std::string ControllerName(Controller controller) {
  switch (controller) {
    case Controller::kCpu:
      return "cpu";
    case Controller::kMemory:
      return "memory";
    case Controller::kPids:
      return "pids";
    case Controller::kCpuAccounting:
      return "cpuacct";
  }
  return "";
}

uint64_t CpuWeightOfShares(uint64_t shares) {
  uint64_t clamped = std::clamp<uint64_t>(shares, 2, 262'144);
  return 1 + ((clamped - 2) * 9'999) / 262'142;
}

Result<> Cgroup::Kill() const {
  Result<> killed = sys::WriteControl(unified_.get(), "cgroup.kill", "1");
  if (!killed.ok() && killed.error().code() == Code::kNotFound) return KillOneByOne(unified_.get());
  return std::move(killed).Context("cgroup " + path_);
}

Result<bool> Cgroup::WaitEmpty(std::chrono::milliseconds timeout) const {
  int64_t deadline = MonotonicNanoseconds() + Nanoseconds(timeout).count();
  UniqueFd events = TRY(sys::Open(unified_.get(), "cgroup.events", O_RDONLY));
  for (;;) {
    if (FlatKey(unified_.get(), "cgroup.events", "populated") == 0U) return true;
    int64_t left = deadline - MonotonicNanoseconds();
    if (left <= 0) return false;
    // The file becomes ready with POLLPRI on a change since the descriptor's last read
    // (cgroup-v2.rst).
    std::string seen = TRY(sys::ReadAll(events.get(), "cgroup.events"));
    if (seen.find("populated 0") != std::string::npos) return true;
    TRY(sys::PollPriority(events.get(), std::chrono::milliseconds(left / 1'000'000 + 1)));
    events = TRY(sys::Open(unified_.get(), "cgroup.events", O_RDONLY));
  }
}

CgroupUsage Cgroup::Usage() const {
  CgroupUsage usage;
  if (memory_.valid()) {
    auto current =
        SingleNumber(memory_.get(), is_memory_legacy_ ? "memory.usage_in_bytes" : "memory.current");
    if (current) usage.memory_current = Bytes(*current);
    usage.oom_kills =
        FlatKey(memory_.get(), is_memory_legacy_ ? "memory.oom_control" : "memory.events",
                "oom_kill")
            .value_or(0);
  }
  if (is_cpu_usage_legacy_) {
    auto nanoseconds = SingleNumber(cpu_usage_.get(), "cpuacct.usage");
    if (nanoseconds) usage.cpu_us = *nanoseconds / 1000;
  } else if (cpu_usage_.valid()) {
    usage.cpu_us = FlatKey(cpu_usage_.get(), "cpu.stat", "usage_usec");
  }
  return usage;
}

Result<CgroupHost> CgroupHost::Discover(Hierarchies hierarchies, const std::string& mountinfo) {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, mountinfo));
  CgroupHost host;
  for (std::string_view line : Split(text, '\n')) {
    // "36 35 98:0 / /mount rw,noatime shared:1 - type source super,options" (proc_pid_mountinfo(5))
    size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    std::vector<std::string_view> fields = Split(line.substr(0, separator), ' ');
    std::vector<std::string_view> tail = Split(line.substr(separator + 3), ' ');
    if (fields.size() < 6 || tail.size() < 3) continue;
    std::string mount(fields[4]);
    if (tail[0] == "cgroup2" && host.unified_mount_.empty()) host.unified_mount_ = mount;
    if (tail[0] != "cgroup") continue;
    for (std::string_view option : Split(tail[2], ',')) {
      if (option == "freezer") host.legacy_freezer_ = mount;
      bool is_wanted =
          hierarchies == Hierarchies::kEvery ? IsHierarchyName(option) : IsLimiting(option);
      // What is mounted once more shows the same groups.
      bool is_known = !host.LegacyMountOf(option).empty();
      if (is_wanted && !is_known) host.legacy_.push_back({std::string(option), mount});
    }
  }
  if (host.unified_mount_.empty()) {
    return Error(
        Code::kUnavailable,
        "no cgroup2 file system is mounted: mount one (mount -t cgroup2 none /sys/fs/cgroup)");
  }
  std::string controllers =
      TRY(sys::ReadFile(AT_FDCWD, host.unified_mount_ + "/cgroup.controllers"));
  for (Controller controller : kControllers) {
    if (ListsWord(controllers, ControllerName(controller)))
      host.unified_controllers_.push_back(controller);
  }
  return host;
}

CgroupHost::Placement CgroupHost::PlacementOf(Controller controller) const {
  if (std::find(unified_controllers_.begin(), unified_controllers_.end(), controller) !=
      unified_controllers_.end()) {
    return Placement::kUnified;
  }
  if (!LegacyMountOf(ControllerName(controller)).empty()) return Placement::kLegacy;
  // v2 counts cpu time in every group's cpu.stat, controller or not.
  return controller == Controller::kCpuAccounting ? Placement::kUnified : Placement::kMissing;
}

std::string CgroupHost::DirectoryOf(Controller controller, const std::string& path) const {
  Placement placement = PlacementOf(controller);
  if (placement == Placement::kUnified) return unified_mount_ + "/" + path;
  std::string mount = LegacyMountOf(ControllerName(controller));
  return mount.empty() ? "" : mount + "/" + path;
}

std::string CgroupHost::LegacyMountOf(std::string_view controller) const {
  for (const Legacy& legacy : legacy_) {
    if (legacy.controller == controller) return legacy.mount;
  }
  return "";
}

std::string CgroupHost::LegacyMountOf(const CgroupFile& file) const {
  return LegacyMountOf(std::string_view(file.legacy_name).substr(0, file.legacy_name.find('.')));
}

std::vector<std::string> CgroupHost::Directories(const std::string& path) const {
  std::vector<std::string> directories = {unified_mount_ + "/" + path};
  for (const Legacy& legacy : legacy_) {
    std::string directory = legacy.mount + "/" + path;
    // cpu and cpuacct may be mounted together.
    if (std::find(directories.begin(), directories.end(), directory) == directories.end()) {
      directories.push_back(directory);
    }
  }
  return directories;
}

// Above a subtree that was delegated to this process nothing can be passed on, and what was passed
// on is what there is: a limit that is missed is told when it is set.
Result<> CgroupHost::PassOn(const std::string& parent,
                            const std::vector<std::string>& controllers) const {
  std::string enabled = TRY(sys::ReadFile(AT_FDCWD, parent + "/cgroup.subtree_control"));
  auto is_enabled = [&](const std::string& name) { return ListsWord(enabled, name); };
  if (std::all_of(controllers.begin(), controllers.end(), is_enabled)) return {};
  std::string available = TRY(sys::ReadFile(AT_FDCWD, parent + "/cgroup.controllers"));
  std::string wanted;
  for (const std::string& name : controllers) {
    if (!is_enabled(name) && ListsWord(available, name)) wanted += "+" + name + " ";
  }
  if (wanted.empty()) return {};
  Result<> passed =
      sys::WriteControl(AT_FDCWD, parent + "/cgroup.subtree_control", TrimSpace(wanted));
  bool is_above = !passed.ok() && passed.error().code() == Code::kDenied;
  return is_above ? Result<>() : std::move(passed);
}

Result<> CgroupHost::MakeUnified(const std::string& path) const {
  if (unified_controllers_.empty()) return MakeGroups(unified_mount_, path);
  std::string parent = unified_mount_;
  std::vector<std::string> controllers;
  for (Controller controller : unified_controllers_)
    controllers.push_back(ControllerName(controller));
  for (const std::string& prefix : Prefixes(path)) {
    TRY(PassOn(parent, controllers));
    parent = unified_mount_ + "/" + prefix;
    TRY(MakeGroup(parent));
  }
  return {};
}

// What cannot be passed on is left out: what a limit needs of it is told when it is set.
void CgroupHost::PassOnAll(const std::string& path) const {
  std::string parent = unified_mount_;
  for (const std::string& prefix : Prefixes(path)) {
    std::string available =
        sys::ReadFile(AT_FDCWD, parent + "/cgroup.controllers").ValueOr(std::string());
    std::vector<std::string> controllers;
    for (std::string_view name : Split(TrimSpace(available), ' ')) controllers.emplace_back(name);
    bool has_all = PassOn(parent, controllers).ok();
    for (size_t i = 0; !has_all && i < controllers.size(); ++i)
      PassOn(parent, {controllers[i]}).Ignore();
    parent = unified_mount_ + "/" + prefix;
  }
}

Result<> CgroupHost::EnableFor(const std::string& path, const CgroupLimits& limits) const {
  std::string available = TRY(sys::ReadFile(AT_FDCWD, unified_mount_ + "/cgroup.controllers"));
  for (const CgroupFile& file : limits.files) {
    if (!LegacyMountOf(file).empty()) continue;
    if (file.name.empty()) {
      return Error(Code::kInvalid, file.asked_by + ": cgroup v2 has no " + file.legacy_name +
                                       ", and this host no hierarchy of cgroup v1 that has");
    }
    size_t dot = file.name.find('.');
    if (dot == 0 || dot == std::string::npos || file.name.find('/') != std::string::npos) {
      return Error(Code::kInvalid,
                   "the specified key has not the form CONTROLLER.VALUE `" + file.name + "`");
    }
    std::string controller = file.name.substr(0, dot);
    if (controller == "cgroup") continue;  // every group has those
    if (!ListsWord(available, controller)) {
      return Error(Code::kInvalid, "invalid configuration: the requested cgroup controller `" +
                                       controller + "` is not available in cgroup v2");
    }
    std::string parent = unified_mount_;
    for (const std::string& prefix : Prefixes(path)) {
      TRY(PassOn(parent, {controller}));
      parent = unified_mount_ + "/" + prefix;
    }
  }
  return {};
}

Result<> CgroupHost::MakeEverywhere(const std::string& path) const {
  TRY(MakeUnified(path));
  for (const Legacy& legacy : legacy_) {
    TRY(MakeGroups(legacy.mount, path));
    if (legacy.controller == "cpuset") TRY(FillCpusets(legacy.mount, path));
  }
  return {};
}

namespace {

Result<std::string> UnifiedValueOf(const Setting& setting, const std::string& file) {
  if (!setting.is_second_word) return setting.unified_value;
  std::string words = TRY(sys::ReadFile(AT_FDCWD, file));
  return words.substr(0, words.find(' ')) + " " + setting.unified_value;
}

}  // namespace

Result<> CgroupHost::Write(const std::string& path, const Setting& setting,
                           std::vector<std::string>* warnings) const {
  Placement placement = PlacementOf(setting.controller);
  if (placement == Placement::kMissing) {
    if (!setting.is_limit) return {};
    warnings->push_back(std::string(setting.what) + " is not enforced: this host has no " +
                        ControllerName(setting.controller) + " controller");
    return {};
  }
  bool is_legacy = placement == Placement::kLegacy;
  const std::string& file = is_legacy ? setting.legacy_file : setting.unified_file;
  if (file.empty()) return {};
  std::string name = DirectoryOf(setting.controller, path) + "/" + file;
  std::string value = setting.legacy_value;
  if (!is_legacy) value = TRY(UnifiedValueOf(setting, name));
  Result<> written = sys::WriteControl(AT_FDCWD, name, value);
  bool is_absent = !written.ok() && written.error().code() == Code::kNotFound;
  // No swap accounting: there is no swap to limit by group.
  return is_absent && setting.is_optional_file ? Result<>() : std::move(written);
}

Result<> CgroupHost::Apply(const std::string& path, const CgroupLimits& limits,
                           std::vector<std::string>* warnings) const {
  std::vector<Setting> waiting = SettingsOf(limits);
  // One may be valid only beside another's new value, below a group with limits: a period that is
  // shorter with the quota that goes with it. Again, as long as that makes others fit.
  while (!waiting.empty()) {
    std::vector<Setting> refused;
    Result<> first;
    for (const Setting& setting : waiting) {
      Result<> written = Write(path, setting, warnings);
      if (written.ok()) continue;
      if (written.error().sys_errno() != EINVAL) return written;
      if (first.ok()) first = std::move(written);
      refused.push_back(setting);
    }
    if (refused.size() == waiting.size()) return first;
    waiting = std::move(refused);
  }
  for (const CgroupFile& file : limits.files) {
    Result<> written = Write(path, file);
    TRY(file.asked_by.empty() ? std::move(written) : std::move(written).Context(file.asked_by));
  }
  return {};
}

Result<> CgroupHost::Write(const std::string& path, const CgroupFile& file) const {
  std::string legacy = LegacyMountOf(file);
  bool is_legacy = !legacy.empty();
  std::string group = (is_legacy ? legacy : unified_mount_) + "/" + path + "/";
  const std::string& other = is_legacy ? file.legacy_other_name : file.other_name;
  Result<> written = sys::WriteControl(AT_FDCWD, group + (is_legacy ? file.legacy_name : file.name),
                                       is_legacy ? file.legacy_value : file.value);
  bool is_absent = !written.ok() && written.error().code() == Code::kNotFound;
  if (!is_absent || other.empty()) return written;
  return sys::WriteControl(AT_FDCWD, group + other,
                           is_legacy ? file.legacy_value : file.other_value);
}

Result<Cgroup> CgroupHost::OpenGroup(const std::string& path) const {
  Cgroup group;
  group.path_ = path;
  group.unified_ = TRY(sys::OpenDirectory(AT_FDCWD, unified_mount_ + "/" + path));
  group.is_memory_legacy_ = PlacementOf(Controller::kMemory) == Placement::kLegacy;
  if (PlacementOf(Controller::kMemory) != Placement::kMissing) {
    group.memory_ = TRY(sys::OpenDirectory(AT_FDCWD, DirectoryOf(Controller::kMemory, path)));
  }
  group.is_cpu_usage_legacy_ = PlacementOf(Controller::kCpuAccounting) == Placement::kLegacy;
  group.cpu_usage_ =
      TRY(sys::OpenDirectory(AT_FDCWD, DirectoryOf(Controller::kCpuAccounting, path)));
  std::vector<std::string> directories = Directories(path);
  for (size_t i = 1; i < directories.size(); ++i) {
    UniqueFd tasks = TRY(sys::Open(AT_FDCWD, directories[i] + "/tasks", O_WRONLY));
    group.legacy_tasks_.push_back(std::move(tasks));
  }
  return group;
}

// The mounts that a choice speaks of; none when it names a controller that is not in cgroup v1.
std::vector<std::string> CgroupHost::HierarchiesOf(const Choice& choice) const {
  if (choice.controllers.empty()) return Directories("");
  std::vector<std::string> mounts;
  for (const std::string& name : choice.controllers) {
    std::string mount = LegacyMountOf(name);
    if (!mount.empty()) mounts.push_back(mount + "/");
  }
  return mounts;
}

Result<Cgroup> CgroupHost::Open(const std::string& path, const std::vector<Choice>& choices) const {
  Cgroup group = TRY(OpenGroup(path));
  std::vector<std::string> mounts = Directories("");
  for (const Choice& choice : choices) {
    std::vector<std::string> chosen = HierarchiesOf(choice);
    if (chosen.empty())
      return Error(Code::kInvalid, "unknown controller " + Join(choice.controllers, ","));
    for (const std::string& mount : chosen) {
      std::string directory = mount + path + (choice.path.empty() ? "" : "/") + choice.path;
      UniqueFd procs = TRY(sys::Open(AT_FDCWD, directory + "/cgroup.procs", O_WRONLY));
      size_t place =
          static_cast<size_t>(std::find(mounts.begin(), mounts.end(), mount) - mounts.begin());
      if (place == 0) {
        group.unified_ = TRY(sys::OpenDirectory(AT_FDCWD, directory));
      } else {
        group.legacy_tasks_[place - 1] = TRY(sys::Open(AT_FDCWD, directory + "/tasks", O_WRONLY));
      }
    }
  }
  return group;
}

Result<Cgroup> CgroupHost::Create(const std::string& path, const CgroupLimits& limits,
                                  std::vector<std::string>* warnings) const {
  auto create = [&]() -> Result<Cgroup> {
    TRY(MakeEverywhere(path));
    if (limits.has_every_controller) PassOnAll(path);
    TRY(EnableFor(path, limits));
    TRY(Apply(path, limits, warnings));
    return OpenGroup(path);
  };
  Result<Cgroup> created = create().Context("cgroup " + path);
  if (!created.ok()) Remove(path).Ignore();
  return created;
}

Result<> CgroupHost::Update(const std::string& path, const CgroupLimits& limits,
                            std::vector<std::string>* warnings) const {
  auto update = [&]() -> Result<> {
    TRY(EnableFor(path, limits));
    return Apply(path, limits, warnings);
  };
  return update().Context("cgroup " + path);
}

Result<> CgroupHost::RemoveIfEmpty(const std::string& path) const {
  Result<> first;
  for (const std::string& directory : Directories(path)) {
    Result<> removed = sys::RemoveDirectory(AT_FDCWD, directory);
    bool is_left = !removed.ok() && (removed.error().sys_errno() == EBUSY ||
                                     removed.error().code() == Code::kNotFound);
    if (first.ok() && !is_left) first = std::move(removed);
  }
  return first;
}

void CgroupHost::RemoveEmptyParents(const std::string& path) const {
  std::vector<std::string> prefixes = Prefixes(path);
  for (size_t i = prefixes.size() - 1; i > 0; --i) {
    for (const std::string& directory : Directories(prefixes[i - 1]))
      sys::RemoveDirectory(AT_FDCWD, directory).Ignore();
  }
}

bool CgroupHost::IsFrozen(const std::string& path) const {
  Result<std::string> state =
      sys::ReadFile(AT_FDCWD, unified_mount_ + "/" + path + "/cgroup.freeze");
  if (state.ok() && TrimSpace(state.value()) == "1") return true;
  if (legacy_freezer_.empty()) return false;
  state = sys::ReadFile(AT_FDCWD, legacy_freezer_ + "/" + path + "/freezer.state");
  return state.ok() && TrimSpace(state.value()) != "THAWED";
}

Result<> CgroupHost::FreeFromLegacyFreezer(int pid) const {
  if (legacy_freezer_.empty()) return {};
  std::string groups = TRY(sys::ReadFile(AT_FDCWD, "/proc/" + std::to_string(pid) + "/cgroup"));
  bool is_free = groups.find(":freezer:/\n") != std::string::npos ||
                 groups.find(":freezer:") == std::string::npos;
  if (is_free) return {};
  return sys::WriteControl(AT_FDCWD, legacy_freezer_ + "/cgroup.procs", std::to_string(pid));
}

Result<> CgroupHost::Remove(const std::string& path) const {
  Result<> first;
  std::string unified = unified_mount_ + "/" + path;
  Result<Cgroup> group = [&]() -> Result<Cgroup> {
    Cgroup opened;
    opened.path_ = path;
    opened.unified_ = TRY(sys::OpenDirectory(AT_FDCWD, unified));
    return opened;
  }();
  if (group.ok()) {
    first = group.value().Kill();
    Result<bool> is_empty = group.value().WaitEmpty(kCgroupEmptyTimeout);
    if (first.ok() && is_empty.ok() && !is_empty.value()) {
      first = Error(Code::kTimeout, "cgroup " + path + ": processes are left after SIGKILL");
    }
  } else if (group.error().code() != Code::kNotFound) {
    first = std::move(group).error();
  }
  for (const std::string& directory : Directories(path)) {
    Result<> removed = RemoveGroupTree(directory);
    if (first.ok()) first = std::move(removed);
  }
  return first;
}

}  // namespace skiff::isolation
