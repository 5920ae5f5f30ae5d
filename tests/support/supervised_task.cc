#include "tests/support/supervised_task.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "isolation/base/clock.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "networking/network.h"
#include "networking/subnet.h"
#include "runtime/plan/limits.h"
#include "runtime/supervisor/event_log.h"
#include "runtime/supervisor/id_blocks.h"

namespace skiff::test {

namespace fs = std::filesystem;
using runtime::TaskPlan;

namespace {

constexpr std::chrono::seconds kPatience{60};

void AddProcesses(const std::string& needle, std::vector<std::string>* remains) {
  for (const std::string& name : sys::ListDirectory(AT_FDCWD, "/proc").value()) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    Result<std::string> groups = sys::ReadFile(AT_FDCWD, "/proc/" + name + "/cgroup");
    if (!groups.ok() || groups.value().find(needle) == std::string::npos) continue;
    // A dead process that the host's init has yet to reap is init's.
    Result<std::string> status = sys::ReadFile(AT_FDCWD, "/proc/" + name + "/status");
    if (!status.ok() || status.value().find("State:\tZ") != std::string::npos) continue;
    remains->push_back("process " + name);
  }
}

void AddNetwork(const runtime::Roots& roots, const runtime::TaskId& id,
                std::vector<std::string>* remains) {
  networking::Installation installation = networking::InstallationOf(roots.data);
  std::string interface = networking::HostInterfaceName(installation, runtime::EniIdOf(id));
  if (sys::Exists(AT_FDCWD, "/sys/class/net/" + interface)) remains->push_back("link " + interface);
  Result<networking::Network> network = networking::Network::Open(roots.data);
  if (network.ok()) {
    Result<std::vector<std::string>> elements = network.value().ListElements();
    if (elements.ok()) {
      for (const std::string& element : elements.value()) remains->push_back("rule " + element);
    }
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(roots.data + "/network/leases", ignored)) {
    std::string text = sys::ReadFile(AT_FDCWD, entry.path()).value();
    if (text.find(runtime::EniIdOf(id)) != std::string::npos) remains->push_back("lease");
  }
}

void AddIds(const runtime::Roots& roots, const runtime::TaskId& id,
            std::vector<std::string>* remains) {
  Result<std::vector<std::string>> blocks = sys::ListDirectory(AT_FDCWD, roots.IdBlocksDirectory());
  if (!blocks.ok()) return;
  for (const std::string& block : blocks.value()) {
    std::string holder = sys::ReadLink(AT_FDCWD, roots.IdBlocksDirectory() + "/" + block).value();
    if (holder == id.text()) remains->push_back("user ids " + block);
  }
}

}  // namespace

std::vector<std::string> RemainsOf(const runtime::Roots& roots, const runtime::TaskId& id) {
  std::vector<std::string> remains;
  AddProcesses(id.text(), &remains);
  Result<isolation::CgroupHost> host = isolation::CgroupHost::Discover();
  if (host.ok()) {
    for (const std::string& directory :
         host.value().Directories(roots.CgroupRoot() + "/" + id.text())) {
      if (sys::Exists(AT_FDCWD, directory)) remains.push_back("cgroup " + directory);
    }
  }
  std::string mounts = sys::ReadFile(AT_FDCWD, "/proc/self/mountinfo").value();
  if (mounts.find(id.text()) != std::string::npos) remains.push_back("mount");
  if (sys::Exists(AT_FDCWD, roots.RunDirectory(id))) remains.push_back("run directory");
  if (sys::Exists(AT_FDCWD, roots.TaskDirectory(id) + "/containers"))
    remains.push_back("writable layers");
  AddNetwork(roots, id, &remains);
  AddIds(roots, id, &remains);
  return remains;
}

Installation::Installation() {
  roots_.data = directory_.path() + "/data";
  roots_.run = directory_.path() + "/run";
  sys::MakeDirectories(roots_.TasksDirectory(), 0700).value();
}

Installation::~Installation() {
  Result<networking::Network> network = networking::Network::Open(roots_.data);
  if (network.ok()) network.value().RemoveSubnet().Ignore();
  Result<isolation::CgroupHost> host = isolation::CgroupHost::Discover();
  if (host.ok()) host.value().Remove(roots_.CgroupRoot()).Ignore();
}

TaskPlan Installation::Plan(const std::vector<std::string>& scripts,
                            runtime::NetworkMode mode) const {
  TaskPlan plan(runtime::TaskId::Generate());
  plan.family = "test";
  plan.created_at = WallNanoseconds();
  plan.roots = roots_;
  plan.cgroup = roots_.CgroupRoot() + "/" + plan.id.text();
  plan.limits.pids_max = runtime::kDefaultTaskPids;
  plan.network_mode = mode;
  if (mode != runtime::NetworkMode::kHost) {
    sys::MakeDirectories(TaskDirectory(plan), 0700).value();
    plan.user_namespace.is_wanted = true;
    plan.user_namespace.first_id = runtime::ClaimIdBlock(roots_, plan.id).value();
  }
  for (const std::string& script : scripts) {
    runtime::ContainerPlan container;
    container.name = "c" + std::to_string(plan.containers.size());
    container.image = "busybox";
    container.layers = {busybox_.layer()};
    container.arguments = {"/bin/busybox", "sh", "-c", script};
    container.environment = {"PATH=/bin"};
    container.working_directory = "/";
    container.capabilities = isolation::DefaultCapabilities();
    container.limits.cpu_shares = 2;
    container.stop_timeout = std::chrono::seconds(30);
    container.log_directory = roots_.LogDirectory(plan.id, container.name);
    container.log_limit = runtime::kDefaultLogLimit;
    container.log_buffer = Bytes::MiB(1);
    plan.containers.push_back(std::move(container));
  }
  return plan;
}

Result<sys::Process> Installation::Start(const TaskPlan& plan,
                                         std::vector<std::string> environment) const {
  std::string directory = TaskDirectory(plan);
  TRY(sys::MakeDirectories(directory, 0700));
  TRY(sys::StoreFile(AT_FDCWD, directory + "/plan.json", EncodePlan(plan)));
  UniqueFd null = TRY(sys::Open(AT_FDCWD, "/dev/null", O_RDWR));
  UniqueFd log =
      TRY(sys::Open(AT_FDCWD, directory + "/supervisor.log", O_WRONLY | O_CREAT | O_APPEND, 0600));
  environment.push_back("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "SKIFF_EVENT_LOOP"}) {
    if (const char* value = getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  UniqueFd program = TRY(sys::OpenProgramReadOnly(SKIFF_SUPERVISOR_PROGRAM));
  return sys::Spawn({.path = SKIFF_SUPERVISOR_PROGRAM,
                     .arguments = {"skiff-supervisor", directory},
                     .environment = std::move(environment),
                     .fds = {null.get(), log.get(), log.get()},
                     .program = program.get(),
                     .new_session = true});
}

runtime::Task Installation::Observe(const TaskPlan& plan) const {
  runtime::Task task(plan.id);
  for (const runtime::Event& event : runtime::ReadEvents(TaskDirectory(plan)).value())
    Apply(task, event);
  return task;
}

bool Installation::WaitFor(const TaskPlan& plan, const sys::Process& supervisor,
                           const std::function<bool(const runtime::Task&)>& condition) const {
  UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  inotify_add_watch(watch.get(), TaskDirectory(plan).c_str(), IN_MODIFY | IN_CREATE);
  int64_t deadline = MonotonicNanoseconds() + Nanoseconds(kPatience).count();
  while (MonotonicNanoseconds() < deadline) {
    if (condition(Observe(plan))) return true;
    if (sys::PollReadable(supervisor.pidfd.get(), std::chrono::milliseconds(0)).value())
      return condition(Observe(plan));
    sys::PollReadable(watch.get(), std::chrono::milliseconds(200)).value();
    char buffer[4096];
    [[maybe_unused]] ssize_t drained = read(watch.get(), buffer, sizeof(buffer));
  }
  return false;
}

runtime::Task Installation::Run(const TaskPlan& plan, std::vector<std::string> environment) const {
  sys::Process supervisor = Start(plan, std::move(environment)).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  return Observe(plan);
}

std::string LogBytes(const TaskPlan& plan, const std::string& container) {
  std::string directory = plan.roots.LogDirectory(plan.id, container);
  std::string bytes;
  Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, directory);
  if (!names.ok()) return bytes;
  for (const std::string& name : names.value()) {
    if (name.size() > 4 && name.substr(name.size() - 4) == ".log") {
      bytes += sys::ReadFile(AT_FDCWD, directory + "/" + name).value();
    }
  }
  return bytes;
}

}  // namespace skiff::test
