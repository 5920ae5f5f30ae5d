#include "runtime/api/task_event.h"

#include "runtime/api/task_text.h"
#include "runtime/model/json_text.h"

namespace skiff::runtime::api {

std::string TaskEventText(const TaskRecord& record, const TaskDefinition* definition,
                          const ControlSettings& settings, int64_t at) {
  const std::string& id = record.observed.id.text();
  std::string updated = MillisecondText(at);
  std::string time = updated.substr(0, updated.find('.')) + "Z";  // EventBridge's, to the second
  std::string detail = RenderTask(record, definition, settings, TimeForm::kRfc3339).head;
  detail += ",\"updatedAt\":\"" + updated + "\"}";
  std::string event;
  MemberWriter writer(event);
  writer("version", std::string_view("0"));
  writer("id", DerivedUuid(id + "/" + std::to_string(record.observed.version)));
  writer("detail-type", std::string_view("ECS Task State Change"));
  writer("source", std::string_view("aws.ecs"));
  writer("account", settings.account_id);
  writer("time", time);
  writer("region", settings.region);
  writer("resources", std::vector<std::string>{TaskArn(settings, record.cluster, id)});
  writer.Raw("detail", detail);
  writer.Close();
  return event;
}

}  // namespace skiff::runtime::api
