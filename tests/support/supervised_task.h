// Runs tasks of busybox containers under the real skiff-supervisor program, in an installation of
// its own (data root and run root in a temporary directory), and looks for what they leave behind.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "isolation/sys/process.h"
#include "runtime/model/event.h"
#include "runtime/model/task.h"
#include "runtime/plan/task_plan.h"
#include "tests/support/busybox_root.h"
#include "tests/support/temp_dir.h"

namespace skiff::test {

// Everything of an installation that lives outside its record: sorted words, empty when nothing is
// there.
std::vector<std::string> RemainsOf(const runtime::Roots& roots, const runtime::TaskId& id);

class Installation {
 public:
  Installation();
  ~Installation();  // removes bridge, tables and cgroup root
  const runtime::Roots& roots() const { return roots_; }
  const BusyboxRoot& busybox() const { return busybox_; }

  // A plan with one essential container per script, named c0, c1, ...
  runtime::TaskPlan Plan(const std::vector<std::string>& scripts, runtime::NetworkMode mode) const;
  // Writes the plan and starts the supervisor program; `environment` arms failpoints.
  Result<sys::Process> Start(const runtime::TaskPlan& plan,
                             std::vector<std::string> environment = {}) const;
  std::string TaskDirectory(const runtime::TaskPlan& plan) const {
    return roots_.TaskDirectory(plan.id);
  }
  // The task as its events tell it.
  runtime::Task Observe(const runtime::TaskPlan& plan) const;
  // Waits (inotify) until the condition holds; false when the supervisor ended or 60 s passed
  // first.
  bool WaitFor(const runtime::TaskPlan& plan, const sys::Process& supervisor,
               const std::function<bool(const runtime::Task&)>& condition) const;
  // Start to end: waits for the supervisor and reaps it.
  runtime::Task Run(const runtime::TaskPlan& plan, std::vector<std::string> environment = {}) const;

 private:
  TempDir directory_;
  runtime::Roots roots_;
  BusyboxRoot busybox_;
};

// Bytes of a container's log segments, as written.
std::string LogBytes(const runtime::TaskPlan& plan, const std::string& container);

}  // namespace skiff::test
