#include "runtime/control/limits.h"
#include "runtime/control/task_record.h"
#include "runtime/model/json_text.h"
#include "runtime/model/task_members.h"

namespace skiff::runtime {

template <typename Io>
void Members(Io& io, TaskRecord& v) {
  io("cluster", v.cluster);
  io("family", v.family);
  io("revision", v.revision);
  io("overrides", v.overrides);
  io.Required("desiredStatus", v.desired_status);
  io("stopCode", v.stop_code);
  io("stopReason", v.stop_reason);
  io("tags", v.tags);
  io("startedBy", v.started_by);
  io("group", v.group);
  io("launchType", v.launch_type);
  io("capacityProvider", v.capacity_provider);
  io("platformVersion", v.platform_version);
  io("cpu", v.cpu);
  io("memory", v.memory);
  io("subnets", v.subnets);
  io("securityGroups", v.security_groups);
  io("assignPublicIp", v.assign_public_ip);
  io("enableExecuteCommand", v.enable_execute_command);
  io("hostId", v.host_id);
  io("createdAt", v.created_at);
  io("protectedUntil", v.protected_until);
  io.Required("observed", v.observed);
}

template <typename Io>
void Members(Io& io, TaskShare& v) {
  io("cpu", v.cpu);
  io("memory", v.memory);
  io("hasEni", v.has_eni);
}

template <typename Io>
void Members(Io& io, TaskIndexEntry& v) {
  io("family", v.family);
  io("startedBy", v.started_by);
  io("group", v.group);
  io("launchType", v.launch_type);
  io("hostId", v.host_id);
}

namespace {

constexpr int64_t kSchema = 1;  // of the three records here

// `id` only for tasks.
template <typename Record>
std::string EncodeRecord(const Record& record, std::string_view id = "") {
  std::string text;
  MemberWriter writer(text);
  writer("schema", kSchema);
  writer("id", id);
  Members(writer, const_cast<Record&>(record));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  writer.Close();
  return text;
}

Result<JsonDocument> OpenRecord(std::string_view value, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(value, what, kMaxTaskRecordBytes));
  std::optional<int64_t> schema = TRY(document.root().FindInteger("schema").Context(what));
  if (schema == kSchema) return document;
  return Error(Code::kInvalid, std::string(what) + ": schema " +
                                   (schema ? std::to_string(*schema) : "missing") +
                                   ": this version reads " + std::to_string(kSchema));
}

template <typename Record>
Result<Record> DecodeSmall(std::string_view value, std::string_view what) {
  JsonDocument document = TRY(OpenRecord(value, what));
  Record record;
  TRY(DecodeMembers(document.root(), record).Context(what));
  return record;
}

}  // namespace

std::string Encode(const TaskRecord& record) {
  return EncodeRecord(record, record.observed.id.text());
}

Result<TaskRecord> DecodeTask(std::string_view value) {
  JsonDocument document = TRY(OpenRecord(value, "task record"));
  JsonCursor at = TRY(document.root().Get("id").Context("task record"));
  std::string text = TRY(at.String().Context("task record"));
  TaskId id = TRY(TaskId::Parse(text).Context("task record"));
  TaskRecord record(std::move(id));
  TRY(DecodeMembers(document.root(), record).Context("task record"));
  return record;
}

std::string Encode(const TaskShare& share) { return EncodeRecord(share); }

Result<TaskShare> DecodeShare(std::string_view value) {
  return DecodeSmall<TaskShare>(value, "task share");
}

std::string Encode(const TaskIndexEntry& entry) { return EncodeRecord(entry); }

Result<TaskIndexEntry> DecodeIndexEntry(std::string_view value) {
  return DecodeSmall<TaskIndexEntry>(value, "task index entry");
}

}  // namespace skiff::runtime
