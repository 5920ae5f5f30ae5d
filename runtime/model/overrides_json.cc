#include <utility>

#include "runtime/model/json_text.h"
#include "runtime/model/limits.h"
#include "runtime/model/overrides.h"
#include "runtime/model/task_members.h"

namespace skiff::runtime {
namespace {

// Lists that ECS has and this version cannot carry out: empty ones ask for nothing.
Result<> RefuseList(const JsonCursor& object, std::string_view name) {
  std::vector<JsonCursor> elements = TRY(object.FindElements(name));
  if (elements.empty()) return {};
  JsonCursor list = TRY(object.Get(name));
  return list.Invalid("is not offered by this version");
}

Result<> RefuseUnknown(const JsonCursor& object, std::initializer_list<std::string_view> known) {
  std::vector<std::string> unknown = object.UnknownMembers(known);
  if (unknown.empty()) return {};
  return Error(Code::kInvalid, unknown.front() + ": unknown member");
}

Result<> CheckContainer(const JsonCursor& container) {
  TRY(RefuseUnknown(container, {"name", "command", "environment", "environmentFiles", "cpu",
                                "memory", "memoryReservation", "resourceRequirements"}));
  TRY(RefuseList(container, "environmentFiles"));
  return RefuseList(container, "resourceRequirements");
}

}  // namespace

Result<TaskOverrides> ParseOverrides(const JsonCursor& object) {
  TaskOverrides overrides;
  TRY(DecodeMembers(object, overrides));
  TRY(RefuseUnknown(object, {"containerOverrides", "cpu", "inferenceAcceleratorOverrides",
                             "executionRoleArn", "memory", "taskRoleArn", "ephemeralStorage"}));
  TRY(RefuseList(object, "inferenceAcceleratorOverrides"));
  std::vector<JsonCursor> containers = TRY(object.FindElements("containerOverrides"));
  for (const JsonCursor& container : containers) TRY(CheckContainer(container));
  if (EncodeOverrides(overrides).size() > kMaxOverridesBytes) {
    return Error(Code::kInvalid, "Container Overrides length must be at most " +
                                     std::to_string(kMaxOverridesBytes));
  }
  return overrides;
}

std::string EncodeOverrides(const TaskOverrides& overrides) {
  std::string text = EncodeMembers(overrides);
  if (!overrides.containers.empty()) return text;
  return R"({"containerOverrides":[])" + std::string(text.size() > 2 ? "," : "") + text.substr(1);
}

}  // namespace skiff::runtime
