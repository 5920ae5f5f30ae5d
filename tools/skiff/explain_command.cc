// skiff explain
#include "images/store.h"
#include "isolation/cgroup.h"
#include "runtime/supervisor/task_user_namespace.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/explain.h"
#include "tools/skiff/run_definition.h"
#include "tools/skiff/task_start.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

using isolation::CgroupHost;
using isolation::Controller;

std::string EnforcedBy(const Result<CgroupHost>& host, Controller controller) {
  if (!host.ok()) return "not enforced: " + host.error().message();
  switch (host.value().PlacementOf(controller)) {
    case CgroupHost::Placement::kUnified:
      return "cgroup v2";
    case CgroupHost::Placement::kLegacy:
      return "cgroup v1";
    case CgroupHost::Placement::kMissing:
      break;
  }
  return "not enforced: this host has no such controller";
}

// "" when the task can have one or is not to have any. As at its start: a warning, or an error when
// it was asked for.
Result<std::string> MissingUserNamespace(runtime::TaskPlan* plan) {
  if (!plan->user_namespace.is_wanted) return std::string();
  Result<> checked = runtime::CheckUserNamespace(*plan);
  if (checked.ok()) return std::string();
  if (plan->user_namespace.is_required) {
    return std::move(checked).error().Context("user namespace");
  }
  plan->warnings.push_back(runtime::WithoutUserNamespace(checked.error()));
  return checked.error().message();
}

}  // namespace

Result<int> Carry(const Explain& options, const runtime::Roots& roots) {
  RunDefinition run = TRY(MakeDefinition(options.run));
  runtime::TaskPlan plan = TRY(PlanRun(run, options.run, roots).Context(options.run.target));
  Result<CgroupHost> host = CgroupHost::Discover();
  std::string missing = TRY(MissingUserNamespace(&plan));
  std::vector<ExplainedPart> parts =
      ExplainPlan({.definition = &run.definition,
                   .plan = &plan,
                   .options = &options.run.isolation,
                   .is_image = run.is_image,
                   .memory_by = EnforcedBy(host, Controller::kMemory),
                   .cpu_by = EnforcedBy(host, Controller::kCpu),
                   .pids_by = EnforcedBy(host, Controller::kPids),
                   .user_namespace_missing = missing});
  for (const std::string& warning : plan.warnings) PrintWarning(Printable(warning));
  Print(options.is_json ? EncodeExplained(parts, plan.warnings) + "\n" : FormatExplained(parts));
  return 0;
}

}  // namespace skiff::tools
