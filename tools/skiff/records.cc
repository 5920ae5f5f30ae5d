#include "tools/skiff/records.h"

#include "tools/skiff/limits.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

std::optional<runtime::StopCode> FirstStopCode(const std::vector<runtime::Event>& events) {
  for (const runtime::Event& event : events) {
    if (event.stop_code) return event.stop_code;
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> ExitCodeOf(const runtime::TaskPlan& plan,
                              const std::vector<runtime::Event>& events) {
  using runtime::EventType;
  bool has_failed_to_start = FirstStopCode(events) == runtime::StopCode::kTaskFailedToStart;
  for (const runtime::Event& event : events) {
    if (has_failed_to_start) {
      if (event.type == EventType::kContainerStartFailed) return event.exit_code;
      continue;
    }
    const runtime::ContainerPlan* container = plan.Find(event.container);
    bool is_essential = container != nullptr && container->essential;
    if (event.type == EventType::kContainerExited && is_essential) return event.exit_code;
  }
  return std::nullopt;
}

Result<TaskRecord> FindRecord(const runtime::Roots& roots, std::string_view text) {
  std::string name(text);
  if (text.size() < kMinIdPrefix ||
      text.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return Error(Code::kInvalid, "task '" + name + "': expected at least " +
                                     std::to_string(kMinIdPrefix) + " digits of an id");
  }
  std::vector<runtime::TaskId> ids = TRY(ListTaskIds(roots));
  std::erase_if(ids, [&](const runtime::TaskId& id) { return !id.text().starts_with(text); });
  if (ids.empty()) return Error(Code::kNotFound, "task " + name + ": no such task");
  if (ids.size() > 1) {
    return Error(Code::kInvalid,
                 "task " + name + ": " + std::to_string(ids.size()) + " tasks begin so");
  }
  return LoadRecord(roots, ids.front());
}

void SweepAndWarn(const runtime::Roots& roots) {
  for (const Error& error : SweepDeadTasks(roots)) PrintWarning(error.message());
}

}  // namespace skiff::tools
