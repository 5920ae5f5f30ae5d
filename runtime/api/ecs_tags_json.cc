// Tags of whatever has an ARN, pages, and the table of the registry's operations.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"
#include "runtime/control/task_change.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTokenMark = "after:";

Error NoResource(const std::string& arn) {
  return InvalidParameter("The specified resource is not found: " + arn);
}

Result<Tag> ReadTag(const JsonCursor& at) {
  Tag tag;
  JsonCursor key = TRY(at.Get("key"));
  tag.key = TRY(key.String());
  tag.value = TRY(TextIn(at, "value", ""));
  if (tag.key.empty() || tag.key.size() > kMaxTagKey) {
    return InvalidParameter(key.path() + ": a tag's key has 1 to 128 characters");
  }
  if (tag.value.size() > kMaxTagValue) {
    return InvalidParameter(at.path() + ".value: a tag's value has up to 256 characters");
  }
  if (tag.key.starts_with("aws:")) {
    return InvalidParameter(key.path() + ": tags that begin with aws: are reserved");
  }
  return tag;
}

}  // namespace

Result<std::vector<Tag>> ReadTags(const JsonCursor& input) {
  std::vector<JsonCursor> elements = TRY(input.FindElements("tags"));
  if (elements.size() > kMaxTags) return InvalidParameter("tags: at most 50");
  std::vector<Tag> tags;
  for (const JsonCursor& element : elements) {
    Tag tag = TRY(ReadTag(element));
    bool is_twice = std::any_of(tags.begin(), tags.end(),
                                [&](const Tag& other) { return other.key == tag.key; });
    if (is_twice) return InvalidParameter(element.path() + ": duplicate key " + tag.key);
    tags.push_back(std::move(tag));
  }
  return tags;
}

std::string NextToken(std::string_view last_name) {
  return std::string(kTokenMark) + std::string(last_name);
}

Result<PageRequest> ReadPage(const JsonCursor& input) {
  PageRequest page;
  int64_t size = TRY(IntegerIn(input, "maxResults", kMaxListPage));
  if (size < 1 || size > static_cast<int64_t>(kMaxListPage)) {
    return InvalidParameter("maxResults: is not between 1 and " + std::to_string(kMaxListPage));
  }
  page.size = static_cast<size_t>(size);
  std::string token = TRY(TextIn(input, "nextToken", ""));
  if (token.empty()) return page;
  if (!token.starts_with(kTokenMark) || token.size() == kTokenMark.size()) {
    return InvalidParameter("Invalid token " + token.substr(0, kMaxTaskIdLength));
  }
  page.after = token.substr(kTokenMark.size());
  return page;
}

// Gives the tags as they are afterwards. Without a change nothing is written.
Result<std::vector<Tag>> EcsRegistry::EditTags(
    const std::string& arn, const std::function<Result<>(std::vector<Tag>&)>& edit) {
  std::string base = "arn:aws:ecs:" + settings_.region + ":" + settings_.account_id + ":";
  if (!arn.starts_with(base)) return InvalidParameter("Invalid arn syntax: " + arn);
  std::string name = arn.substr(base.size());
  if (name.starts_with("cluster/")) {
    std::optional<StoredCluster> found = TRY(FindCluster(name.substr(8)));
    if (!found || !found->record.is_active) return NoResource(arn);
    std::vector<Tag> before = found->record.tags;
    TRY(edit(found->record.tags));
    if (before != found->record.tags) {
      TRY(store_.Commit(
          {{keys::Cluster(found->record.name), Encode(found->record), found->version}},
          Durability::kAccepted));
    }
    return found->record.tags;
  }
  if (name.starts_with("task-definition/")) {
    StoredDefinition found =
        TRY(FindRevision(arn, "The specified task definition does not exist."));
    std::vector<Tag> before = found.record.tags;
    TRY(edit(found.record.tags));
    if (before != found.record.tags) {
      std::string key = keys::TaskDefinition(found.record.definition.family, found.record.revision);
      TRY(store_.Commit({{key, Encode(found.record), found.version}}, Durability::kAccepted));
    }
    return found.record.tags;
  }
  size_t slash = name.rfind('/');
  if (!name.starts_with("task/") || slash < 5) {
    return Error(Code::kUnavailable, arn + ": tags of this kind are not offered in this version")
        .WithKind("UnsupportedFeatureException");
  }
  Result<TaskId> id = TaskId::Parse(name.substr(slash + 1));
  if (!id.ok()) return NoResource(arn);
  for (int attempt = 0; attempt < kMaxWriteAttempts; ++attempt) {
    std::optional<StoredRecord> stored = TRY(store_.Get(keys::Task(id.value())));
    if (!stored) return NoResource(arn);
    TaskRecord record = TRY(DecodeTask(stored->value));
    if (record.cluster != name.substr(5, slash - 5)) return NoResource(arn);
    TaskRecord before = record;
    TRY(edit(record.tags));
    if (before.tags == record.tags) return record.tags;
    // The agent may write the task at the same time.
    std::vector<RecordWrite> writes = ChangeTask(before, stored->version, record);
    Result<uint64_t> written = store_.Commit(writes, Durability::kAccepted);
    if (written.ok()) return record.tags;
    if (written.error().code() != Code::kConflict) return std::move(written).error();
  }
  return Error(Code::kConflict, arn + " changes all the time").WithKind("ServerException");
}

Result<std::string> EcsRegistry::TagResource(const Call& call) {
  JsonCursor member = TRY(call.input.Get("resourceArn"));
  std::string arn = TRY(member.String());
  TRY(call.input.Get("tags"));
  std::vector<Tag> more = TRY(ReadTags(call.input));
  auto add = [&](std::vector<Tag>& tags) -> Result<> {
    for (const Tag& tag : more) {
      std::erase_if(tags, [&](const Tag& other) { return other.key == tag.key; });
      tags.push_back(tag);
    }
    if (tags.size() > kMaxTags) return InvalidParameter("tags: at most 50 of a resource");
    return {};
  };
  TRY(EditTags(arn, add));
  return std::string("{}");
}

Result<std::string> EcsRegistry::UntagResource(const Call& call) {
  JsonCursor member = TRY(call.input.Get("resourceArn"));
  std::string arn = TRY(member.String());
  JsonCursor list = TRY(call.input.Get("tagKeys"));
  std::vector<std::string> names = TRY(list.Strings());
  auto remove = [&](std::vector<Tag>& tags) -> Result<> {
    std::erase_if(tags, [&](const Tag& tag) {
      return std::find(names.begin(), names.end(), tag.key) != names.end();
    });
    return {};
  };
  TRY(EditTags(arn, remove));
  return std::string("{}");
}

Result<std::string> EcsRegistry::ListTagsForResource(const Call& call) {
  JsonCursor member = TRY(call.input.Get("resourceArn"));
  std::string arn = TRY(member.String());
  auto look = [](std::vector<Tag>&) -> Result<> { return {}; };
  std::vector<Tag> tags = TRY(EditTags(arn, look));
  Json list = Json::array();
  for (const Tag& tag : tags) list.push_back({{"key", tag.key}, {"value", tag.value}});
  return EncodeJson({{"tags", std::move(list)}});
}

void EcsRegistry::AddTo(OperationTable& table) {
  using Member = Result<std::string> (EcsRegistry::*)(const Call&);
  auto add = [&](const char* name, Member member,
                 std::function<std::vector<std::string>(const Call&)> resources = nullptr) {
    table.operations[name] = {[this, member](const Call& call) { return (this->*member)(call); },
                              std::move(resources)};
  };
  auto cluster = [this](const Call& call) { return ClusterArnOf(call, "cluster"); };
  auto named = [this](const Call& call) { return ClusterArnOf(call, "clusterName"); };
  auto tagged = [](const Call& call) -> std::vector<std::string> {
    Result<std::string> arn = TextIn(call.input, "resourceArn", "*");
    return {arn.ok() ? arn.value() : "*"};
  };
  add("CreateCluster", &EcsRegistry::CreateCluster, named);
  add("DescribeClusters", &EcsRegistry::DescribeClusters);
  add("ListClusters", &EcsRegistry::ListClusters);
  add("DeleteCluster", &EcsRegistry::DeleteCluster, cluster);
  add("UpdateCluster", &EcsRegistry::UpdateCluster, cluster);
  add("UpdateClusterSettings", &EcsRegistry::UpdateClusterSettings, cluster);
  add("PutClusterCapacityProviders", &EcsRegistry::PutClusterCapacityProviders, cluster);
  add("DescribeCapacityProviders", &EcsRegistry::DescribeCapacityProviders);
  add("DeleteTaskDefinitions", &EcsRegistry::DeleteTaskDefinitions);
  add("RegisterTaskDefinition", &EcsRegistry::RegisterTaskDefinition);
  add("DescribeTaskDefinition", &EcsRegistry::DescribeTaskDefinition);
  add("DeregisterTaskDefinition", &EcsRegistry::DeregisterTaskDefinition);
  add("ListTaskDefinitions", &EcsRegistry::ListTaskDefinitions);
  add("ListTaskDefinitionFamilies", &EcsRegistry::ListTaskDefinitionFamilies);
  add("TagResource", &EcsRegistry::TagResource, tagged);
  add("UntagResource", &EcsRegistry::UntagResource, tagged);
  add("ListTagsForResource", &EcsRegistry::ListTagsForResource, tagged);
}

}  // namespace skiff::runtime::api
