#include "runtime/supervisor/cleanup.h"

#include <fcntl.h>

#include <optional>

#include "isolation/cgroup.h"
#include "isolation/sys/file.h"
#include "runtime/supervisor/id_blocks.h"
#include "runtime/supervisor/task_network.h"
#include "runtime/supervisor/task_storage.h"

namespace skiff::runtime {
namespace {

void Note(Result<> result, std::string_view what, std::vector<Error>* errors) {
  if (!result.ok()) errors->push_back(std::move(result).error().Context(what));
}

Result<> RemoveCgroups(const TaskPlan& plan) {
  isolation::CgroupHost host = TRY(isolation::CgroupHost::Discover());
  return host.Remove(plan.cgroup);
}

void DetachNetwork(const TaskPlan& plan, networking::Network* network, std::vector<Error>* errors) {
  if (plan.network_mode != NetworkMode::kAwsvpc) return;
  std::optional<networking::Network> own;
  if (network == nullptr) {
    Result<networking::Network> opened = networking::Network::Open(plan.roots.data);
    if (!opened.ok()) {
      errors->push_back(std::move(opened).error().Context("network"));
      return;
    }
    network = &own.emplace(std::move(opened).value());
  }
  networking::Detachment detached = network->Detach(NetworkPlanOf(plan));
  for (Error& error : detached.errors) errors->push_back(std::move(error).Context("network"));
}

}  // namespace

std::vector<Error> CleanUpTask(const TaskPlan& plan, networking::Network* network) {
  std::vector<Error> errors;
  Note(RemoveCgroups(plan), "cgroups", &errors);
  DetachNetwork(plan, network, &errors);
  Note(RemoveStorage(plan), "writable layers", &errors);
  Note(sys::RemoveTree(AT_FDCWD, plan.roots.RunDirectory(plan.id)), "run directory", &errors);
  // Last, and only when nothing has its ids any more.
  if (errors.empty()) {
    Note(ReleaseIdBlock(plan.roots, plan.id, plan.user_namespace.first_id), "user ids", &errors);
  }
  return errors;
}

Result<UniqueFd> TryLockTask(const std::string& task_directory) {
  UniqueFd fd = TRY(sys::Open(AT_FDCWD, task_directory + "/lock", O_RDWR | O_CREAT, 0600));
  bool is_locked = TRY(sys::TryProcessLock(fd.get()));
  if (!is_locked) return UniqueFd();
  return fd;
}

Result<> RecoverDeadTask(const TaskPlan& plan, const std::string& reason) {
  std::vector<Error> errors = CleanUpTask(plan, nullptr);
  std::string directory = plan.roots.TaskDirectory(plan.id);
  std::vector<Event> history = TRY(ReadEvents(directory));
  EventLog log = TRY(EventLog::Open(directory));
  for (const Error& error : errors) {
    Event event;
    event.type = EventType::kCleanupFailed;
    event.text = error.message();
    log.Append(std::move(event));
  }
  bool is_closed = !history.empty() && history.back().type == EventType::kTaskStopped;
  if (!is_closed) {
    Event stopped;
    stopped.type = EventType::kTaskStopped;
    stopped.stop_code = StopCode::kInfrastructureHealth;
    stopped.reason = reason;
    for (const Event& event : history) {
      if (event.type == EventType::kStopRequested && event.stop_code) {
        stopped.stop_code = event.stop_code;
        stopped.reason = event.reason;
        break;  // the first cause
      }
    }
    log.Append(std::move(stopped));
  }
  if (!errors.empty()) return std::move(errors.front());
  return {};
}

}  // namespace skiff::runtime
