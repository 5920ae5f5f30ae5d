#include "tools/skiff/task_start.h"

#include "images/store.h"
#include "isolation/base/clock.h"
#include "runtime/agent/host_facts.h"
#include "tools/skiff/image_pull.h"

namespace skiff::tools {

namespace {

struct Resolved {
  runtime::PlanRequest request;
  runtime::ResolvedImages images;
};

Result<Resolved> Resolve(const RunDefinition& run, const Run& options,
                         const runtime::Roots& roots) {
  runtime::PlanRequest request{.id = runtime::TaskId::Generate()};
  request.created_at = WallNanoseconds();
  request.roots = roots;
  request.published_ports = options.ports;
  request.warnings = run.warnings;
  request.isolation = options.isolation;
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  runtime::ResolvedImages images = TRY(ResolveImages(run.definition, store, !run.is_image));
  request.host = TRY(runtime::ReadHostFacts().Context("host"));
  return Resolved{std::move(request), std::move(images)};
}

}  // namespace

Result<runtime::PreparedTask> PrepareRun(const RunDefinition& run, const Run& options,
                                         const runtime::Roots& roots) {
  PullPolicy policy = options.pull.value_or(PullPolicy::kMissing);
  TRY(PullImages(run, policy, roots));
  Resolved resolved = TRY(Resolve(run, options, roots));
  return PrepareTask(run.definition, run.text, std::move(resolved.request),
                     std::move(resolved.images));
}

Result<runtime::TaskPlan> PlanRun(const RunDefinition& run, const Run& options,
                                  const runtime::Roots& roots) {
  Resolved resolved = TRY(Resolve(run, options, roots));
  resolved.request.images = std::move(resolved.images.images);
  return MakePlan(run.definition, resolved.request);
}

}  // namespace skiff::tools
