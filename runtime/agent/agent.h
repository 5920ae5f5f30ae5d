// The host's side of the tasks: makes what is desired true, and writes what it observes into the
// store.
//
// One level-triggered loop is start, steady state and recovery alike: each active task is compared
// with its directory, and the next step towards what is desired is taken. It is woken by the store
// (tasks/), by the tasks' supervisors, and by a timer only when a stopped task is due for removal.
// Whatever step the daemon dies after, the next one finds the rest to do; no task depends on it.
//
// Run's thread does all the work and may block for milliseconds. Stop and Reset: any other thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "images/store.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/directory_watch.h"
#include "isolation/sys/event_loop.h"
#include "runtime/agent/agent_metrics.h"
#include "runtime/agent/followed_task.h"
#include "runtime/agent/image_pulls.h"
#include "runtime/agent/limits.h"
#include "runtime/control/task_record.h"
#include "runtime/plan/paths.h"
#include "runtime/store/store.h"

namespace skiff::runtime {

struct AgentSettings {
  Roots roots;
  std::chrono::nanoseconds stopped_retention = kStoppedTaskRetention;
};

class Agent {
 public:
  // Writes the host record. `store` outlives the agent.
  static Result<std::unique_ptr<Agent>> Create(Store& store, AgentSettings settings);
  ~Agent();

  // Until Stop, after which every task goes on by itself.
  Result<> Run();
  void Stop();

  // Any thread.
  const AgentMetrics& metrics() const { return metrics_; }

  // Kills the active tasks, removes the directories of all and empties the store. kTimeout when one
  // does not end within kResetPatience. Only while Run is at work (or over: kUnavailable).
  Result<> Reset();

 private:
  // An active task: its record as last read or written, and its supervisor once it has one.
  struct Active {
    bool is_stale = true;  // the API wrote: read it again
    std::optional<TaskRecord> record;
    uint64_t version = 0;
    std::unique_ptr<FollowedTask> followed;
  };
  using Edit = std::function<void(TaskRecord&)>;

  Agent(Store& store, AgentSettings settings, images::ImageStore images, HostFacts facts,
        UniqueFd wake);

  // The loop.
  Result<> Loop();
  bool Post(std::function<void()> command);  // false: Run is over
  void Wake();
  void OnWake(int result, unsigned flags);
  void OnTimer(int result, unsigned flags);
  void OnDirectories(int result, unsigned flags);
  void TakeQueue();
  Result<> FindActive();
  Result<> ScanStopped();
  void ReconcileAll();
  void AskForRetry();
  void SetTimer();
  void RemoveDue();

  // One task.
  Result<> Reconcile(const TaskId& id, Active& task);
  Result<> Read(const TaskId& id, Active& task);
  Result<> Change(const TaskId& id, Active& task, Durability durability, const Edit& edit);
  Result<> Finish(const TaskId& id, Active& task, StopCode code, const std::string& reason);
  Result<> FindSupervisor(const TaskId& id, Active& task);
  Result<> Refresh(const TaskId& id, Active& task);
  void RequestStop(Active& task);
  void Drop(const TaskId& id);
  Result<> RemoveStopped(const TaskId& id);
  Result<> EndAll();
  Result<> RemoveAll();

  // Its start (agent_start.cc).
  Result<> Begin(const TaskId& id, Active& task);
  Result<> Start(const TaskId& id, Active& task);
  Result<std::optional<PreparedTask>> Prepare(const TaskId& id, Active& task);
  Result<> AwaitImages(const TaskId& id, Active& task, const TaskDefinition& definition);
  Result<TaskDefinition> DefinitionOf(const TaskRecord& record);
  Result<> Spawn(const TaskId& id, Active& task, PreparedTask prepared);
  std::unique_ptr<FollowedTask> Follow(const TaskId& id, TaskPlan plan);

  Store& store_;
  const AgentSettings settings_;
  images::ImageStore images_;
  const HostFacts facts_;
  UniqueFd wake_fd_;

  AgentMetrics metrics_;

  std::mutex mutex_;  // guards the three that follow
  std::vector<std::string> changed_keys_;
  std::vector<std::function<void()>> commands_;
  bool is_over_ = false;

  bool is_stopping_ = false;
  std::thread::id own_thread_;  // set before anybody asks
  std::unique_ptr<ImagePulls> pulls_;
  std::unique_ptr<sys::EventLoop> loop_;
  uint64_t wake_count_ = 0;
  sys::MemberCompletion<Agent, &Agent::OnWake> on_wake_{this};
  sys::MemberCompletion<Agent, &Agent::OnTimer> on_timer_{this};
  sys::MemberCompletion<Agent, &Agent::OnDirectories> on_directories_{this};
  std::optional<int64_t> timer_due_;  // wall nanoseconds; nullopt: not armed
  std::optional<int64_t> retry_due_;  // after an error, all that is active is looked at again

  std::map<TaskId, Active> active_;
  std::set<TaskId> dirty_;  // to be looked at
  std::vector<std::unique_ptr<FollowedTask>> leaving_;
  std::set<std::pair<int64_t, TaskId>> stopped_;  // by when they are to be removed
  std::optional<std::string> scan_after_;  // stopped tasks of earlier daemons: where to go on
  std::optional<sys::DirectoryWatch> directories_;  // of adopted tasks
  std::unique_ptr<Store::Watch> watch_;             // last: ends first
};

}  // namespace skiff::runtime
