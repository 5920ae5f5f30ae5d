// A task as the API shows it: JSON text, made from its record and its definition. Pure, but for the
// cache, which has one owner.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "runtime/control/records.h"
#include "runtime/control/settings.h"
#include "runtime/control/task_record.h"

namespace skiff::runtime::api {

// Split where what differs between answers stands: tags are shown only to those who ask.
struct TaskText {
  std::string cluster;
  std::string head;  // the object without its tags and without the closing brace
  std::string tags;  // a list
};

enum class TimeForm {
  kSeconds,  // 1700000000.123, as the API's protocol has it
  kRfc3339,  // "2026-01-31T12:00:00.123Z", as events have it
};

// `definition` null: it is gone; the containers' own sizes are shown as "0" then.
TaskText RenderTask(const TaskRecord& record, const TaskDefinition* definition,
                    const ControlSettings& settings, TimeForm times = TimeForm::kSeconds);
std::string WholeText(const TaskText& text, bool with_tags);

// "1700000000.123": seconds, as the API has times.
std::string TimeText(int64_t wall_ns);
// "2026-01-31T12:00:00.123Z": more digits than that are too many for some clients' parsers.
std::string MillisecondText(int64_t wall_ns);

// The same for the same text, in every build: names what has no memory of its own.
std::string DerivedUuid(std::string_view text);

// Names as the API has them.
std::string ClusterArn(const ControlSettings& settings, std::string_view cluster);
std::string TaskArn(const ControlSettings& settings, std::string_view cluster, std::string_view id);
std::string TaskDefinitionArn(const ControlSettings& settings, std::string_view family,
                              int64_t revision);
std::string ContainerInstanceArn(const ControlSettings& settings, std::string_view cluster,
                                 std::string_view id);

// Rendered tasks by id and the version of their record. When it is full it begins anew.
class TaskTextCache {
 public:
  // nullptr: not rendered yet, or of another version.
  const TaskText* Find(const std::string& id, uint64_t version) const;
  const TaskText& Keep(const std::string& id, uint64_t version, TaskText text);
  void Clear() { texts_.clear(); }

 private:
  struct Kept {
    uint64_t version = 0;
    TaskText text;
  };
  std::unordered_map<std::string, Kept> texts_;
};

}  // namespace skiff::runtime::api
