// One container of a task, from its plan to its exit: root file system, cgroup, streams, process.
//
// Lives on the supervisor's event loop and must outlive it (completions point here). One owner, one
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolation/cgroup.h"
#include "isolation/launch.h"
#include "isolation/seccomp_trace.h"
#include "isolation/sys/event_loop.h"
#include "runtime/logs/log_writer.h"
#include "runtime/model/event.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

// What all containers of a task share.
struct TaskContext {
  const TaskPlan* plan = nullptr;
  const isolation::CgroupHost* cgroups = nullptr;
  int netns = -1;           // -1: the host's
  int user_namespace = -1;  // -1: the host's
  int pid_namespace = -1;   // -1: each container has its own
  std::string hostname;     // "" keeps
  sys::EventLoop* loop = nullptr;
};

struct ContainerExit {
  int code = 0;  // 128 + signal when a signal ended it
  std::optional<int> signal;
  bool oom_killed = false;
  std::string reason;
};

struct StartedContainer {
  int64_t pid = 0;
  std::vector<std::string> warnings;
  std::vector<std::pair<std::string, int64_t>> steps;  // name, nanoseconds
};

class Container {
 public:
  // Called when the process has ended, and when its logs are written to the last byte.
  struct Observer {
    std::function<void(Container&, const ContainerExit&)> on_exit;
    std::function<void(Container&)> on_drained;
    std::function<void(Container&)> on_kill;
  };

  Container(const ContainerPlan* plan, const TaskContext* context, Observer observer);
  ~Container();

  const ContainerPlan& plan() const { return *plan_; }
  bool is_running() const { return process_.pidfd.valid(); }
  bool is_drained() const { return is_drained_; }
  // What its log has kept and lost so far; zeros without a log.
  LogWriterStats log_stats() const { return logs_ ? logs_->stats() : LogWriterStats(); }

  // A failed start leaves no process; directories and cgroups go with the task's cleanup.
  Result<StartedContainer> Start(isolation::LaunchFailure* failure);
  Result<> Signal(int signal);
  // The stop signal now, SIGKILL to the whole container after `timeout`.
  void Stop(std::chrono::seconds timeout);
  Result<> Kill();

 private:
  void OnPidfd(int result, unsigned flags);
  void OnStopTimeout(int result, unsigned flags);
  void OnLogsDrained(int result, unsigned flags);
  Result<> OpenStreams();
  Result<isolation::ContainerSpec> MakeSpec(isolation::ContainerSpec spec, int root_mount);
  uint32_t first_id() const;
  Result<> GiveStreams(const isolation::ContainerUser& user);
  Result<> SetSeccomp(isolation::ContainerSpec* spec);
  Result<isolation::Launched> Launch(const isolation::ContainerSpec& spec,
                                     isolation::LaunchFailure* failure);
  Result<> KeepTrace();
  ContainerExit DescribeExit(const sys::ExitStatus& status) const;

  const ContainerPlan* plan_;
  const TaskContext* context_;
  Observer observer_;
  isolation::SeccompProgram seccomp_;
  UniqueFd landlock_;                               // until the start
  UniqueFd looked_up_root_;                         // ContainerRoot::looked_up
  std::unique_ptr<isolation::SeccompTrace> trace_;  // null: not traced
  std::optional<isolation::Cgroup> cgroup_;
  std::unique_ptr<LogWriter> logs_;
  UniqueFd stream_ends_[3];  // what the process gets as 0, 1, 2
  sys::Process process_;
  bool is_drained_ = true;
  bool is_kill_pending_ = false;
  sys::MemberCompletion<Container, &Container::OnPidfd> pidfd_ready_{this};
  sys::MemberCompletion<Container, &Container::OnStopTimeout> stop_timeout_{this};
  sys::MemberCompletion<Container, &Container::OnLogsDrained> logs_drained_{this};
};

}  // namespace skiff::runtime
