// Attributes of the container instance: ECS's own and those that people put on it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/api/ecs_host.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_requires_attributes.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

constexpr const char* kTargetType = "container-instance";

bool IsAttributeCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./\\").find(c) != std::string_view::npos;
}

Result<std::string> ReadName(const JsonCursor& at) {
  JsonCursor member = TRY(at.Get("name"));
  std::string name = TRY(member.String());
  bool is_fine = !name.empty() && name.size() <= kMaxAttributeText &&
                 std::all_of(name.begin(), name.end(), IsAttributeCharacter);
  if (is_fine) return name;
  return InvalidParameter(member.path() + ": an attribute's name has 1 to 128 letters, digits, " +
                          "hyphens, underscores, slashes and periods");
}

Result<std::string> ReadValue(const JsonCursor& at) {
  std::string value = TRY(TextIn(at, "value", ""));
  auto is_allowed = [](char c) {
    return IsAttributeCharacter(c) || std::string_view("@: ").find(c) != std::string_view::npos;
  };
  bool is_fine = value.size() <= kMaxAttributeText &&
                 std::all_of(value.begin(), value.end(), is_allowed) &&
                 (value.empty() || (value.front() != ' ' && value.back() != ' '));
  if (is_fine) return value;
  return InvalidParameter(at.path() +
                          ".value: an attribute's value has 1 to 128 letters, digits, " +
                          "and -_./\\@: or spaces in between");
}

Result<> CheckTarget(const JsonCursor& at, const std::string& own, const std::string& id,
                     bool is_member) {
  std::string type = TRY(TextIn(at, "targetType", kTargetType));
  if (type != kTargetType) {
    return InvalidParameter(at.path() + ".targetType: \"" + type + "\" is none of " + kTargetType);
  }
  std::string target = TRY(TextIn(at, "targetId", ""));
  if (target.empty()) return InvalidParameter(at.path() + ".targetId: is required");
  if (is_member && (target == own || target == id)) return {};
  return Error(Code::kNotFound, "Could not find the target: " + target)
      .WithKind("TargetNotFoundException");
}

Json AttributeJson(const KeyValue& attribute, const std::string& target) {
  Json out = {{"name", attribute.name}, {"targetType", kTargetType}, {"targetId", target}};
  if (!attribute.value.empty()) out["value"] = attribute.value;
  return out;
}

Result<std::vector<JsonCursor>> AttributesIn(const JsonCursor& input) {
  TRY(RefuseUnknown(input, {"cluster", "attributes"}));
  JsonCursor list = TRY(input.Get("attributes"));
  std::vector<JsonCursor> elements = TRY(list.Elements());
  if (elements.size() > kMaxAttributes) return InvalidParameter("attributes: at most 10 at a time");
  for (const JsonCursor& element : elements) {
    TRY(RefuseUnknown(element, {"name", "value", "targetType", "targetId"}));
  }
  return elements;
}

}  // namespace

Result<std::vector<KeyValue>> EcsHost::CustomAttributes(const Membership& membership) {
  std::string prefix = keys::Attribute(membership.cluster, membership.host.id, "");
  std::vector<StoredRecord> stored =
      TRY(store_.Range({.prefix = prefix, .after = "", .limit = kMaxEntriesScanned}));
  std::vector<KeyValue> attributes;
  for (const StoredRecord& record : stored) {
    attributes.push_back({record.key.substr(prefix.size()), record.value});
  }
  return attributes;
}

Result<std::string> EcsHost::PutAttributes(const Call& call) {
  std::vector<JsonCursor> elements = TRY(AttributesIn(call.input));
  Membership membership = TRY(MembershipIn(call.input));
  std::string own = ContainerInstanceArn(settings_, membership.cluster, membership.host.id);
  std::vector<KeyValue> kept = TRY(CustomAttributes(membership));
  std::vector<RecordWrite> writes;
  Json answer = {{"attributes", Json::array()}};
  for (const JsonCursor& element : elements) {
    KeyValue attribute;
    attribute.name = TRY(ReadName(element));
    attribute.value = TRY(ReadValue(element));
    TRY(CheckTarget(element, own, membership.host.id, membership.is_member));
    if (attribute.name.starts_with("ecs.") || attribute.name.starts_with("com.amazonaws.")) {
      return InvalidParameter(element.path() + ".name: " + attribute.name + " is ECS's own");
    }
    writes.push_back({keys::Attribute(membership.cluster, membership.host.id, attribute.name),
                      attribute.value, std::nullopt});
    std::erase_if(kept, [&](const KeyValue& other) { return other.name == attribute.name; });
    kept.push_back(attribute);
    answer["attributes"].push_back(AttributeJson(attribute, own));
  }
  if (kept.size() > kMaxAttributes) {
    return Error(Code::kExhausted, "a container instance has at most 10 attributes of yours")
        .WithKind("AttributeLimitExceededException");
  }
  TRY(store_.Commit(writes, Durability::kAccepted));
  return EncodeJson(answer);
}

Result<std::string> EcsHost::DeleteAttributes(const Call& call) {
  std::vector<JsonCursor> elements = TRY(AttributesIn(call.input));
  Membership membership = TRY(MembershipIn(call.input));
  std::string own = ContainerInstanceArn(settings_, membership.cluster, membership.host.id);
  std::vector<KeyValue> kept = TRY(CustomAttributes(membership));
  std::vector<RecordWrite> writes;
  Json answer = {{"attributes", Json::array()}};
  for (const JsonCursor& element : elements) {
    std::string name = TRY(ReadName(element));
    TRY(CheckTarget(element, own, membership.host.id, membership.is_member));
    auto found = std::find_if(kept.begin(), kept.end(),
                              [&](const KeyValue& other) { return other.name == name; });
    if (found == kept.end()) continue;
    answer["attributes"].push_back(AttributeJson(*found, own));
    writes.push_back({keys::Attribute(membership.cluster, membership.host.id, name), std::nullopt,
                      std::nullopt});
    kept.erase(found);
  }
  TRY(store_.Commit(writes, Durability::kAccepted));
  return EncodeJson(answer);
}

Result<std::string> EcsHost::ListAttributes(const Call& call) {
  TRY(RefuseUnknown(call.input, {"cluster", "targetType", "attributeName", "attributeValue",
                                 "nextToken", "maxResults"}));
  PageRequest page = TRY(ReadPage(call.input));
  JsonCursor type = TRY(call.input.Get("targetType"));
  std::string wanted_type = TRY(type.String());
  if (wanted_type != kTargetType) {
    return InvalidParameter("targetType: \"" + wanted_type + "\" is none of " + kTargetType);
  }
  std::string wanted_name = TRY(TextIn(call.input, "attributeName", ""));
  std::string wanted_value = TRY(TextIn(call.input, "attributeValue", ""));
  Membership membership = TRY(MembershipIn(call.input));
  Json answer = {{"attributes", Json::array()}};
  if (!membership.is_member) return EncodeJson(answer);
  std::string own = ContainerInstanceArn(settings_, membership.cluster, membership.host.id);
  std::vector<KeyValue> all = HostAttributes(membership.host, settings_.region);
  std::vector<KeyValue> custom = TRY(CustomAttributes(membership));
  all.insert(all.end(), custom.begin(), custom.end());
  std::sort(all.begin(), all.end(),
            [](const KeyValue& a, const KeyValue& b) { return a.name < b.name; });
  for (const KeyValue& attribute : all) {
    if (attribute.name <= page.after) continue;
    if (!wanted_name.empty() && attribute.name != wanted_name) continue;
    if (!wanted_value.empty() && attribute.value != wanted_value) continue;
    Json& list = answer["attributes"];
    if (list.size() == page.size) {
      answer["nextToken"] = NextToken(list.back()["name"].get<std::string>());
      break;
    }
    list.push_back(AttributeJson(attribute, own));
  }
  return EncodeJson(answer);
}

}  // namespace skiff::runtime::api
