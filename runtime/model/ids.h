// The names of tasks and of their containers' runtimes.
//
// A TaskId can only be made by Parse or Generate, so it is safe in file, cgroup and interface
// names. Values; any thread.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::runtime {

class TaskId {
 public:
  // 32 lower-case hex digits, nothing else.
  static Result<TaskId> Parse(std::string_view hex);
  // From the kernel's random generator.
  static TaskId Generate();

  const std::string& text() const { return text_; }
  // The first 8 digits: for people and for names of limited length, not unique for certain.
  std::string Short() const { return text_.substr(0, 8); }
  auto operator<=>(const TaskId&) const = default;

 private:
  explicit TaskId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// "<task id>-<10 digits>", the form Fargate gives a container's runtimeId. The digits derive from
// the task id and the container's name, so the same pair always has the same id.
std::string ContainerRuntimeId(const TaskId& task, std::string_view container_name);

}  // namespace skiff::runtime
