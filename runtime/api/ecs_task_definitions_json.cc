// Task definitions.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "runtime/api/active_tasks.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_requires_attributes.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/api/task_definition_ref.h"
#include "runtime/control/keys.h"
#include "runtime/model/supported.h"
#include "runtime/model/validate.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;
using Status = TaskDefinitionRecord::Status;

const char* StatusText(Status status) {
  switch (status) {
    case Status::kActive:
      return "ACTIVE";
    case Status::kInactive:
      return "INACTIVE";
    case Status::kDeleteInProgress:
      break;
  }
  return "DELETE_IN_PROGRESS";
}

double Seconds(int64_t wall_ns) {
  int64_t milliseconds = wall_ns / 1'000'000;
  return static_cast<double>(milliseconds) / 1000;
}

// What the service shows of a container beside what was registered.
void AddContainerDefaults(Json& container, bool is_awsvpc) {
  container.emplace("cpu", 0);
  container.emplace("essential", true);
  for (const char* list :
       {"portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"}) {
    container.emplace(list, Json::array());
  }
  for (Json& port : container["portMappings"]) {
    port.emplace("protocol", "tcp");
    if (is_awsvpc && port.contains("containerPort")) {
      port.emplace("hostPort", port["containerPort"]);
    }
  }
}

// Both launch types when Fargate's rules hold, too.
Json CompatibilitiesOf(TaskDefinition definition) {
  Json list = {"EC2"};
  definition.requires_compatibilities = {"FARGATE"};
  std::vector<std::string> ignored;
  if (ValidateTaskDefinition(definition, &ignored).ok()) list.push_back("FARGATE");
  return list;
}

Json DefinitionJson(const TaskDefinitionRecord& record, const ControlSettings& settings) {
  Json out = Json::parse(EncodeTaskDefinition(record.definition));
  out.erase("tags");
  for (const char* size : {"cpu", "memory"}) {
    if (out.contains(size) && out[size].is_number()) {
      out[size] = std::to_string(out[size].get<int64_t>());
    }
  }
  bool is_awsvpc = EffectiveNetworkMode(record.definition) == NetworkMode::kAwsvpc;
  out["networkMode"] = NetworkModeName(EffectiveNetworkMode(record.definition));
  for (Json& container : out["containerDefinitions"]) AddContainerDefaults(container, is_awsvpc);
  out.emplace("volumes", Json::array());
  out.emplace("placementConstraints", Json::array());
  out["taskDefinitionArn"] = TaskDefinitionArn(settings, record.definition.family, record.revision);
  out["revision"] = record.revision;
  out["status"] = StatusText(record.status);
  out["compatibilities"] = CompatibilitiesOf(record.definition);
  out["requiresAttributes"] = Json::array();
  for (const std::string& name : RequiredAttributes(record.definition)) {
    out["requiresAttributes"].push_back({{"name", name}});
  }
  out["registeredAt"] = Seconds(record.registered_at);
  out["registeredBy"] = record.registered_by;
  if (record.deregistered_at) out["deregisteredAt"] = Seconds(*record.deregistered_at);
  return out;
}

Json TagList(const std::vector<Tag>& tags) {
  Json list = Json::array();
  for (const Tag& tag : tags) list.push_back({{"key", tag.key}, {"value", tag.value}});
  return list;
}

// In ECS's words these are the client's mistakes. ECS's own sentences stand alone there: they name
// what they are about, and clients compare them.
Error Refused(const Error& error) {
  std::string text = error.message();
  size_t colon = text.find(": ");
  bool is_sentence = colon != std::string::npos && text[colon + 2] >= 'A' && text[colon + 2] <= 'Z';
  return ClientError(is_sentence ? text.substr(colon + 2) : text);
}

Result<TaskDefinition> ReadDefinition(const JsonCursor& input) {
  constexpr std::string_view kWhat = "input";
  Result<ParsedTaskDefinition> parsed = ParseTaskDefinition(EncodeJson(input.value()), kWhat);
  if (!parsed.ok()) {
    // Bare members, as in every other error of the API.
    std::string text = parsed.error().message();
    Error refused = ClientError(text.substr(text.starts_with("input: ") ? kWhat.size() + 2 : 0));
    bool is_type = std::string_view(parsed.error().kind()) == kWrongJsonType;
    return is_type ? std::move(refused).WithKind(kWrongJsonType) : refused;
  }
  TaskDefinition definition = std::move(parsed.value().definition);
  std::vector<std::string> warnings = std::move(parsed.value().warnings);
  Result<> valid = ValidateTaskDefinition(definition, &warnings);
  if (!valid.ok()) return Refused(valid.error());
  // A definition is kept whole, as ECS keeps it; RunTask refuses by name what cannot be run here.
  Result<> supported = CheckSupported(definition, &warnings);
  if (!supported.ok()) warnings.push_back(supported.error().message() + ", RunTask will refuse it");
  for (const std::string& warning : warnings) {
    Log(LogLevel::kWarning, "task definition " + definition.family + ": " + warning);
  }
  return definition;
}

// "ACTIVE" unless said.
Result<std::string> ReadStatus(const JsonCursor& input,
                               std::initializer_list<std::string_view> allowed) {
  std::string word = TRY(TextIn(input, "status", "ACTIVE"));
  if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return word;
  return InvalidParameter("status: \"" + word + "\" is not one of the enumeration");
}

std::string NameOf(const TaskDefinitionRecord& record) {
  return record.definition.family + ":" + std::to_string(record.revision);
}

}  // namespace

Result<std::string> EcsRegistry::RegisterTaskDefinition(const Call& call) {
  std::vector<Tag> tags = TRY(ReadTags(call.input));
  TaskDefinitionRecord record;
  record.definition = TRY(ReadDefinition(call.input));
  record.definition.tags.clear();
  record.tags = std::move(tags);
  record.registered_by = call.caller.arn;
  record.registered_at = WallNanoseconds();
  std::string family_key = keys::Family(record.definition.family);
  std::optional<StoredRecord> family = TRY(store_.Get(family_key));
  int64_t last = family ? strtoll(family->value.c_str(), nullptr, 10) : 0;
  record.revision = last + 1;
  std::vector<RecordWrite> writes = {
      {family_key, std::to_string(record.revision), family ? family->version : 0},
      {keys::TaskDefinition(record.definition.family, record.revision), Encode(record), 0}};
  TRY(store_.Commit(writes, Durability::kAccepted));
  return EncodeJson(
      {{"taskDefinition", DefinitionJson(record, settings_)}, {"tags", TagList(record.tags)}});
}

// A family alone means its newest ACTIVE revision; a revision may have any status.
Result<EcsRegistry::StoredDefinition> EcsRegistry::FindRevision(const std::string& reference,
                                                                std::string_view missing) {
  std::string name = reference;
  std::string prefix =
      "arn:aws:ecs:" + settings_.region + ":" + settings_.account_id + ":task-definition/";
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  size_t colon = name.find(':');
  std::string digits = colon == std::string::npos ? "" : name.substr(colon + 1);
  bool is_revision = !digits.empty() && digits.size() <= 10 &&
                     digits.find_first_not_of("0123456789") == std::string::npos;
  TaskDefinitionRecord record;
  if (is_revision && name.find('/') == std::string::npos) {
    std::optional<TaskDefinitionRecord> found =
        TRY(FindDefinition(store_, name.substr(0, colon), strtoll(digits.c_str(), nullptr, 10)));
    if (!found) return ClientError(std::string(missing));
    record = *std::move(found);
  } else {
    Result<TaskDefinitionRecord> found = FindActiveDefinition(store_, settings_, reference);
    bool is_missing = !found.ok() && std::string_view(found.error().kind()) == "ClientException";
    if (is_missing) return ClientError(std::string(missing));
    record = TRY(std::move(found));
  }
  std::optional<StoredRecord> stored =
      TRY(store_.Get(keys::TaskDefinition(record.definition.family, record.revision)));
  return StoredDefinition{std::move(record), stored ? stored->version : 0};
}

Result<std::string> EcsRegistry::DescribeTaskDefinition(const Call& call) {
  JsonCursor member = TRY(call.input.Get("taskDefinition"));
  std::string reference = TRY(member.String());
  std::vector<std::string> include = TRY(call.input.FindStrings("include"));
  for (const std::string& what : include) {
    if (what != "TAGS") return InvalidParameter("include: \"" + what + "\" is not TAGS");
  }
  StoredDefinition found = TRY(FindRevision(reference, "Unable to describe task definition."));
  Json answer = {{"taskDefinition", DefinitionJson(found.record, settings_)}};
  bool with_tags = std::find(include.begin(), include.end(), "TAGS") != include.end();
  answer["tags"] = with_tags ? TagList(found.record.tags) : Json::array();
  return EncodeJson(answer);
}

Result<std::string> EcsRegistry::DeregisterTaskDefinition(const Call& call) {
  JsonCursor member = TRY(call.input.Get("taskDefinition"));
  std::string reference = TRY(member.String());
  if (reference.find(':') == std::string::npos) {
    return ClientError("Revision is missing.");
  }
  StoredDefinition found =
      TRY(FindRevision(reference, "The specified task definition does not exist."));
  if (found.record.status == Status::kActive) {
    found.record.status = Status::kInactive;
    found.record.deregistered_at = WallNanoseconds();
    std::string key = keys::TaskDefinition(found.record.definition.family, found.record.revision);
    TRY(store_.Commit({{key, Encode(found.record), found.version}}, Durability::kAccepted));
  }
  return EncodeJson({{"taskDefinition", DefinitionJson(found.record, settings_)}});
}

// Like ECS: a revision must have been deregistered, and keeps the status DELETE_IN_PROGRESS until
// it is taken away.
Result<std::string> EcsRegistry::DeleteTaskDefinitions(const Call& call) {
  TRY(RefuseUnknown(call.input, {"taskDefinitions"}));
  JsonCursor list = TRY(call.input.Get("taskDefinitions"));
  std::vector<std::string> references = TRY(list.Strings());
  if (references.empty() || references.size() > kMaxDeletedDefinitions) {
    return InvalidParameter("taskDefinitions: between 1 and 10 can be deleted at a time");
  }
  Json answer = {{"taskDefinitions", Json::array()}, {"failures", Json::array()}};
  for (const std::string& reference : references) {
    if (reference.find(':') == std::string::npos) {
      return ClientError("Revision is missing.");
    }
    Result<StoredDefinition> found =
        FindRevision(reference, "The specified task definition does not exist.");
    if (!found.ok()) {
      answer["failures"].push_back({{"arn", reference}, {"reason", "MISSING"}});
      continue;
    }
    TaskDefinitionRecord& record = found.value().record;
    if (record.status == Status::kActive) {
      answer["failures"].push_back(
          {{"arn", TaskDefinitionArn(settings_, record.definition.family, record.revision)},
           {"reason",
            "The specified task definition is still in ACTIVE status. Please deregister the "
            "target and try again."}});
      continue;
    }
    if (record.status == Status::kInactive) {
      record.status = Status::kDeleteInProgress;
      record.delete_requested_at = WallNanoseconds();
      std::string key = keys::TaskDefinition(record.definition.family, record.revision);
      TRY(store_.Commit({{key, Encode(record), found.value().version}}, Durability::kAccepted));
    }
    answer["taskDefinitions"].push_back(DefinitionJson(record, settings_));
  }
  return EncodeJson(answer);
}

Result<> EcsRegistry::RemoveDeletedDefinitions(int64_t now_wall_ns) {
  std::set<std::string> used;
  TRY(VisitActiveTasks(store_, [&](const TaskRecord& task) {
    used.insert(keys::TaskDefinition(task.family, task.revision));
  }));
  constexpr int64_t kLife = std::chrono::nanoseconds(kDeletedDefinitionLife).count();
  std::vector<TaskDefinitionRecord> records = TRY(AllOf(""));
  for (const TaskDefinitionRecord& record : records) {
    std::string key = keys::TaskDefinition(record.definition.family, record.revision);
    bool is_due = record.status == Status::kDeleteInProgress && record.delete_requested_at &&
                  *record.delete_requested_at + kLife <= now_wall_ns;
    if (!is_due || used.contains(key)) continue;
    TRY(store_.Commit({{key, std::nullopt, std::nullopt}}, Durability::kStatus));
  }
  return {};
}

// Of one family, or of all for "": by family and revision.
Result<std::vector<TaskDefinitionRecord>> EcsRegistry::AllOf(const std::string& family) {
  std::vector<TaskDefinitionRecord> records;
  RangeRequest request{
      .prefix = family.empty() ? "task-definitions/" : keys::TaskDefinitions(family),
      .after = "",
      .limit = kMaxEntriesScanned};
  for (;;) {
    std::vector<StoredRecord> batch = TRY(store_.Range(request));
    for (const StoredRecord& stored : batch) {
      Result<TaskDefinitionRecord> record = DecodeTaskDefinition(stored.value);
      if (record.ok()) records.push_back(std::move(record).value());
    }
    if (batch.size() < request.limit) return records;
    request.after = batch.back().key;
  }
}

Result<std::string> EcsRegistry::ListTaskDefinitions(const Call& call) {
  PageRequest page = TRY(ReadPage(call.input));
  std::string family = TRY(TextIn(call.input, "familyPrefix", ""));
  std::string status = TRY(ReadStatus(call.input, {"ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"}));
  std::string sort = TRY(TextIn(call.input, "sort", "ASC"));
  if (sort != "ASC" && sort != "DESC") {
    return InvalidParameter("sort: \"" + sort + "\" is none of ASC, DESC");
  }
  std::vector<TaskDefinitionRecord> records = TRY(AllOf(family));
  std::erase_if(records, [&](const auto& record) { return StatusText(record.status) != status; });
  if (sort == "DESC") std::reverse(records.begin(), records.end());
  auto begin = records.begin();
  if (!page.after.empty()) {
    begin = std::find_if(records.begin(), records.end(),
                         [&](const auto& record) { return NameOf(record) == page.after; });
    if (begin == records.end()) return InvalidParameter("nextToken: the list has changed");
    ++begin;
  }
  auto end = records.end() - begin > static_cast<ptrdiff_t>(page.size)
                 ? begin + static_cast<ptrdiff_t>(page.size)
                 : records.end();
  Json arns = Json::array();
  for (auto at = begin; at != end; ++at) {
    arns.push_back(TaskDefinitionArn(settings_, at->definition.family, at->revision));
  }
  Json answer = {{"taskDefinitionArns", std::move(arns)}};
  if (end != records.end()) answer["nextToken"] = NextToken(NameOf(*std::prev(end)));
  return EncodeJson(answer);
}

Result<std::string> EcsRegistry::ListTaskDefinitionFamilies(const Call& call) {
  PageRequest page = TRY(ReadPage(call.input));
  std::string prefix = TRY(TextIn(call.input, "familyPrefix", ""));
  std::string status = TRY(ReadStatus(call.input, {"ACTIVE", "INACTIVE", "ALL"}));
  std::vector<TaskDefinitionRecord> records = TRY(AllOf(""));
  std::vector<std::pair<std::string, bool>> families;  // and whether one revision is ACTIVE
  for (const TaskDefinitionRecord& record : records) {
    const std::string& family = record.definition.family;
    if (!family.starts_with(prefix)) continue;
    if (families.empty() || families.back().first != family) families.emplace_back(family, false);
    families.back().second |= record.status == Status::kActive;
  }
  Json names = Json::array();
  std::string last;
  for (const auto& [family, is_active] : families) {
    if (family <= page.after || (status != "ALL" && is_active != (status == "ACTIVE"))) continue;
    if (names.size() == page.size) {
      return EncodeJson({{"families", std::move(names)}, {"nextToken", NextToken(last)}});
    }
    names.push_back(family);
    last = family;
  }
  return EncodeJson({{"families", std::move(names)}});
}

}  // namespace skiff::runtime::api
