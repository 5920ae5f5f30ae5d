#include "tools/skiff/task_start.h"

#include "images/store.h"
#include "isolation/base/clock.h"
#include "runtime/agent/host_facts.h"

namespace skiff::tools {

Result<runtime::PreparedTask> PrepareRun(const RunDefinition& run,
                                         const std::vector<runtime::PublishedPortPlan>& ports,
                                         const runtime::Roots& roots) {
  runtime::PlanRequest request{.id = runtime::TaskId::Generate()};
  request.created_at = WallNanoseconds();
  request.roots = roots;
  request.published_ports = ports;
  request.warnings = run.warnings;
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  runtime::ResolvedImages images = TRY(ResolveImages(run.definition, store, !run.is_image));
  request.host = TRY(runtime::ReadHostFacts().Context("host"));
  return PrepareTask(run.definition, run.text, std::move(request), std::move(images));
}

}  // namespace skiff::tools
