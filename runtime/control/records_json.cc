// The store's codec of everything but tasks (task_record_json.cc).
#include "runtime/control/limits.h"
#include "runtime/control/records.h"
#include "runtime/model/json_text.h"
#include "runtime/model/task_members.h"

namespace skiff::runtime {

namespace {

constexpr int64_t kSchema = 1;  // of all records here

constexpr NameTable<TaskDefinitionRecord::Status, 3> kDefinitionStatusNames{{
    {TaskDefinitionRecord::Status::kActive, "ACTIVE"},
    {TaskDefinitionRecord::Status::kInactive, "INACTIVE"},
    {TaskDefinitionRecord::Status::kDeleteInProgress, "DELETE_IN_PROGRESS"},
}};

constexpr NameTable<LogStreamRecord::Source, 2> kSourceNames{{
    {LogStreamRecord::Source::kContainer, "container"},
    {LogStreamRecord::Source::kPut, "put"},
}};

}  // namespace

constexpr const auto& NamesOf(TaskDefinitionRecord::Status) { return kDefinitionStatusNames; }
constexpr const auto& NamesOf(LogStreamRecord::Source) { return kSourceNames; }

template <typename Io>
void Members(Io& io, CapacityProviderItem& v) {
  io.Required("name", v.name);
  io("weight", v.weight);
  io("base", v.base);
}

template <typename Io>
void Members(Io& io, ClusterRecord& v) {
  io.Required("name", v.name);
  io.Required("isActive", v.is_active);
  io("settings", v.settings);
  io("configuration", v.configuration);
  io("serviceConnect", v.service_connect);
  io("capacityProviders", v.capacity_providers);
  io("defaultStrategy", v.default_strategy);
  io("tags", v.tags);
  io("createdAt", v.created_at);
}

// Without the definition, whose codec is the model's.
template <typename Io>
void Members(Io& io, TaskDefinitionRecord& v) {
  io.Required("revision", v.revision);
  io.Required("status", v.status);
  io("tags", v.tags);
  io("registeredBy", v.registered_by);
  io("registeredAt", v.registered_at);
  io("deregisteredAt", v.deregistered_at);
  io("deleteRequestedAt", v.delete_requested_at);
}

template <typename Io>
void Members(Io& io, HostRecord& v) {
  io.Required("id", v.id);
  io("hostname", v.hostname);
  io("cpu", v.cpu);
  io("memory", v.memory);
  io("enis", v.enis);
  io("architecture", v.architecture);
  io("kernel", v.kernel);
  io("version", v.version);
  io("registeredAt", v.registered_at);
}

template <typename Io>
void Members(Io& io, LogGroupRecord& v) {
  io.Required("name", v.name);
  io("retentionDays", v.retention_days);
  io("isProtected", v.is_protected);
  io("tags", v.tags);
  io("createdAt", v.created_at);
}

template <typename Io>
void Members(Io& io, LogStreamRecord& v) {
  io.Required("group", v.group);
  io.Required("name", v.name);
  io.Required("source", v.source);
  io("directory", v.directory);
  io("createdAt", v.created_at);
}

namespace {

template <typename Record>
std::string EncodeRecord(const Record& record, std::string_view definition = "") {
  std::string text;
  MemberWriter writer(text);
  writer("schema", kSchema);
  if (!definition.empty()) writer.Raw("definition", definition);
  Members(writer, const_cast<Record&>(record));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  writer.Close();
  return text;
}

Result<JsonDocument> OpenRecord(std::string_view value, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(value, what, kMaxRecordBytes));
  std::optional<int64_t> schema = TRY(document.root().FindInteger("schema").Context(what));
  if (schema == kSchema) return document;
  return Error(Code::kInvalid, std::string(what) + ": schema " +
                                   (schema ? std::to_string(*schema) : "missing") +
                                   ": this version reads " + std::to_string(kSchema));
}

template <typename Record>
Result<Record> DecodeRecord(std::string_view value, std::string_view what) {
  JsonDocument document = TRY(OpenRecord(value, what));
  Record record;
  TRY(DecodeMembers(document.root(), record).Context(what));
  return record;
}

}  // namespace

std::string Encode(const ClusterRecord& record) { return EncodeRecord(record); }

Result<ClusterRecord> DecodeCluster(std::string_view value) {
  return DecodeRecord<ClusterRecord>(value, "cluster record");
}

std::string Encode(const TaskDefinitionRecord& record) {
  return EncodeRecord(record, EncodeTaskDefinition(record.definition));
}

Result<TaskDefinitionRecord> DecodeTaskDefinition(std::string_view value) {
  const char* what = "task definition record";
  JsonDocument document = TRY(OpenRecord(value, what));
  TaskDefinitionRecord record;
  TRY(DecodeMembers(document.root(), record).Context(what));
  JsonCursor definition = TRY(document.root().Get("definition").Context(what));
  ParsedTaskDefinition parsed = TRY(ParseTaskDefinition(EncodeJson(definition.value()), what));
  record.definition = std::move(parsed.definition);
  return record;
}

std::string Encode(const HostRecord& record) { return EncodeRecord(record); }

Result<HostRecord> DecodeHost(std::string_view value) {
  return DecodeRecord<HostRecord>(value, "host record");
}

std::string Encode(const LogGroupRecord& record) { return EncodeRecord(record); }

Result<LogGroupRecord> DecodeLogGroup(std::string_view value) {
  return DecodeRecord<LogGroupRecord>(value, "log group record");
}

std::string Encode(const LogStreamRecord& record) { return EncodeRecord(record); }

Result<LogStreamRecord> DecodeLogStream(std::string_view value) {
  return DecodeRecord<LogStreamRecord>(value, "log stream record");
}

}  // namespace skiff::runtime
