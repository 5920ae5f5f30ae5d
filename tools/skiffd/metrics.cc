#include "tools/skiffd/metrics.h"

#include <map>
#include <tuple>

#include "isolation/base/log.h"
#include "isolation/cgroup.h"
#include "runtime/agent/task_usage.h"
#include "runtime/api/active_tasks.h"
#include "runtime/model/task.h"

namespace skiff::tools {
namespace {

using runtime::MetricLabels;
using runtime::MetricsText;
using runtime::TaskRecord;

struct MeasuredTask {
  std::string id;
  std::string family;
  std::string cluster;
  runtime::TaskUsage usage;
  MetricLabels labels() const { return {{"task", id}, {"family", family}, {"cluster", cluster}}; }
};

struct Tasks {
  // Cluster, last and desired status, launch type.
  std::map<std::tuple<std::string, std::string, std::string, std::string>, uint64_t> states;
  std::vector<MeasuredTask> measured;
};

void Measure(const TaskRecord& task, const isolation::CgroupHost* cgroups,
             const runtime::Roots& roots, Tasks* tasks) {
  std::string launch =
      task.capacity_provider.empty() ? task.launch_type : std::string(task.capacity_provider);
  ++tasks->states[{task.cluster, std::string(StatusName(task.observed.last_status)),
                   std::string(StatusName(task.desired_status)), launch}];
  if (cgroups == nullptr) return;
  auto usage = runtime::ReadTaskUsage(*cgroups, roots, task.observed.id);
  if (usage) {
    tasks->measured.push_back({task.observed.id.text(), task.family, task.cluster, *usage});
  }
}

void WriteUsage(MetricsText& text, const std::vector<MeasuredTask>& tasks) {
  text.Family("skiff_task_cpu_seconds_total", "counter", "CPU time of an active task.");
  for (const MeasuredTask& task : tasks) {
    if (!task.usage.cgroup.cpu_us) continue;
    text.Sample(task.labels(), static_cast<double>(*task.usage.cgroup.cpu_us) * 1e-6);
  }
  text.Family("skiff_task_memory_bytes", "gauge", "Memory of an active task, page cache included.");
  for (const MeasuredTask& task : tasks) {
    if (!task.usage.cgroup.memory_current) continue;
    text.Sample(task.labels(), task.usage.cgroup.memory_current->count());
  }
  text.Family("skiff_task_log_bytes", "gauge", "Log files of an active task, indexes included.");
  for (const MeasuredTask& task : tasks) text.Sample(task.labels(), task.usage.log_bytes);
}

}  // namespace

std::string MetricsOf(const MetricsSources& sources) {
  Tasks tasks;
  Result<isolation::CgroupHost> cgroups = isolation::CgroupHost::Discover();
  Result<> visited = runtime::api::VisitActiveTasks(sources.store, [&](const TaskRecord& task) {
    Measure(task, cgroups.ok() ? &cgroups.value() : nullptr, sources.roots, &tasks);
  });
  if (!visited.ok()) Log(LogLevel::kWarning, "metrics: " + visited.error().message());
  MetricsText text;
  text.Family("skiff_build_info", "gauge", "1, for the labels.");
  text.Sample({{"version", SKIFF_VERSION}}, uint64_t{1});
  text.Family("process_start_time_seconds", "gauge", "When the daemon started, Unix time.");
  text.Sample({}, static_cast<double>(sources.started_wall_ns / 1'000'000) / 1000);
  text.Family("skiff_tasks", "gauge", "Tasks that have not stopped, by state.");
  for (const auto& [state, count] : tasks.states) {
    const auto& [cluster, last, desired, launch] = state;
    text.Sample({{"cluster", cluster},
                 {"last_status", last},
                 {"desired_status", desired},
                 {"launch", launch}},
                count);
  }
  WriteUsage(text, tasks.measured);
  sources.agent.Write(text);
  sources.api.Write(text);
  sources.events.Write(text);
  return text.Take();
}

}  // namespace skiff::tools
