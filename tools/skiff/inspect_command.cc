// skiff inspect
#include <cstdio>

#include "isolation/cgroup.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/records.h"
#include "tools/skiff/task_json.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

using isolation::CgroupHost;
using isolation::Controller;

std::string PlacementWords(CgroupHost::Placement placement) {
  switch (placement) {
    case CgroupHost::Placement::kUnified:
      return "cgroup v2";
    case CgroupHost::Placement::kLegacy:
      return "cgroup v1";
    case CgroupHost::Placement::kMissing:
      break;
  }
  return "not enforced: this host has no such controller";
}

TaskKernelFacts KernelFactsOf(const TaskRecord& record) {
  TaskKernelFacts facts;
  Result<CgroupHost> host = CgroupHost::Discover();
  for (Controller controller : {Controller::kMemory, Controller::kCpu, Controller::kPids}) {
    CgroupHost::Placement placement =
        host.ok() ? host.value().PlacementOf(controller) : CgroupHost::Placement::kMissing;
    facts.enforcement.emplace_back(ControllerName(controller), PlacementWords(placement));
  }
  if (host.ok() && !record.is_stopped()) {
    facts.cgroups = host.value().Directories(record.plan.cgroup);
  }
  if (!record.is_stopped()) {
    Result<runtime::StorageFacts> storage = runtime::LookAtStorage(record.plan);
    if (storage.ok()) facts.storage = storage.value();
  }
  return facts;
}

std::string FormatLatency(const runtime::Task& task) {
  std::vector<std::vector<std::string>> rows = {{"MICROSECONDS", "CONTAINER", "STEP"}};
  int64_t sum = 0;
  auto add = [&](int64_t nanoseconds, const std::string& container, const std::string& step) {
    char number[32];
    snprintf(number, sizeof(number), "%12.1f", static_cast<double>(nanoseconds) / 1000);
    rows.push_back({number, container.empty() ? "-" : container, step});
  };
  for (const runtime::LatencyStep& step : task.latency) {
    add(step.duration_ns, step.container, step.name);
    sum += step.duration_ns;
  }
  add(sum, "", "all steps");
  if (task.created_at && task.started_at) {
    add(*task.started_at - *task.created_at, "", "created to running");
  }
  return FormatTable(rows);
}

}  // namespace

Result<int> Carry(const Inspect& options, const runtime::Roots& roots) {
  SweepAndWarn(roots);
  TaskRecord record = TRY(FindRecord(roots, options.task));
  if (options.is_latency) {
    Print(FormatLatency(record.task));
  } else {
    Print(EncodeTask(record, KernelFactsOf(record)) + "\n");
  }
  return 0;
}

}  // namespace skiff::tools
