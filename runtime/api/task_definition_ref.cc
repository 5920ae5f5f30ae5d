#include "runtime/api/task_definition_ref.h"

#include "isolation/base/text.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

constexpr uint64_t kMaxRevision = 9'999'999'999;  // as many digits as keys have
constexpr size_t kRevisionBatch = 100;

Error NotFound() { return ClientError("TaskDefinition not found."); }

bool IsActive(const TaskDefinitionRecord& record) {
  return record.status == TaskDefinitionRecord::Status::kActive;
}

Result<TaskDefinitionRecord> NewestActive(Store& store, const std::string& family) {
  RangeRequest request{
      .prefix = keys::TaskDefinitions(family), .after = "", .limit = kRevisionBatch};
  std::optional<TaskDefinitionRecord> newest;
  while (true) {
    std::vector<StoredRecord> batch = TRY(store.Range(request));
    for (const StoredRecord& stored : batch) {
      Result<TaskDefinitionRecord> record = DecodeTaskDefinition(stored.value);
      if (record.ok() && IsActive(record.value())) newest = std::move(record).value();
    }
    if (batch.size() < request.limit) break;
    request.after = batch.back().key;
  }
  if (newest) return *std::move(newest);
  return NotFound();
}

Result<TaskDefinitionRecord> Revision(Store& store, std::string_view family,
                                      std::string_view digits) {
  std::optional<uint64_t> revision = ParseUint(digits, kMaxRevision);
  if (!revision) return InvalidParameter("Invalid revision number. Number: " + std::string(digits));
  std::optional<TaskDefinitionRecord> record =
      TRY(FindDefinition(store, family, static_cast<int64_t>(*revision)));
  if (!record) return NotFound();
  if (!IsActive(*record)) return ClientError("TaskDefinition is inactive");
  return *std::move(record);
}

}  // namespace

Result<std::optional<TaskDefinitionRecord>> FindDefinition(Store& store, std::string_view family,
                                                           int64_t revision) {
  std::string key = keys::TaskDefinition(family, revision);
  std::optional<StoredRecord> stored = TRY(store.Get(key));
  if (!stored) return std::optional<TaskDefinitionRecord>();
  Result<TaskDefinitionRecord> record = DecodeTaskDefinition(stored->value);
  if (record.ok()) return std::optional<TaskDefinitionRecord>(std::move(record).value());
  TRY(store.Quarantine(key, record.error().message()));
  return std::optional<TaskDefinitionRecord>();
}

Result<TaskDefinitionRecord> FindActiveDefinition(Store& store, const ControlSettings& settings,
                                                  const std::string& reference) {
  std::string name = reference;
  if (reference.starts_with("arn:")) {
    std::string prefix =
        "arn:aws:ecs:" + settings.region + ":" + settings.account_id + ":task-definition/";
    if (!reference.starts_with(prefix)) {
      return InvalidParameter("Invalid arn syntax: " + reference + " is no task definition of " +
                              "account " + settings.account_id + " in " + settings.region);
    }
    name = reference.substr(prefix.size());
  }
  size_t colon = name.find(':');
  if (name.empty() || name.find('/') != std::string::npos) return NotFound();
  if (colon == std::string::npos) return NewestActive(store, name);
  return Revision(store, name.substr(0, colon), name.substr(colon + 1));
}

}  // namespace skiff::runtime::api
