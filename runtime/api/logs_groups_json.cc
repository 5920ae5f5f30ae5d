// The operations on log groups, streams and tags.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "runtime/api/logs.h"
#include "runtime/api/logs_rules.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

constexpr int64_t kRetentionDays[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                      365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

struct StreamTimes {
  std::optional<int64_t> first;
  std::optional<int64_t> last;
  int64_t ingested = 0;
};

Result<StreamTimes> TimesOf(const LogStreamRecord& stream) {
  StreamTimes times;
  EventRead read{.source = SourceOf(stream), .directory = stream.directory};
  bool is_put = read.source == EventSource::kPut;
  TRY(ReadStream(read, [&](const LogEvent& event) {
    times.first = std::min(times.first.value_or(event.timestamp), event.timestamp);
    times.last = std::max(times.last.value_or(event.timestamp), event.timestamp);
    times.ingested = std::max(times.ingested, event.ingested);
    return is_put;
  }));
  if (is_put || !times.first) return times;
  read.tail = 1;
  TRY(ReadStream(read, [&](const LogEvent& event) {
    times.last = times.ingested = event.timestamp;
    return true;
  }));
  return times;
}

Json ShowStream(const LogStreamRecord& stream, const StreamTimes& times,
                const std::string& group_arn) {
  Json shown{{"logStreamName", stream.name},
             {"arn", group_arn + ":log-stream:" + stream.name},
             {"creationTime", stream.created_at / 1'000'000},
             {"storedBytes", 0}};  // as AWS, of streams, since 2019
  if (times.first) {
    shown["firstEventTimestamp"] = *times.first;
    shown["lastEventTimestamp"] = *times.last;
    shown["lastIngestionTime"] = times.ingested;
  }
  return shown;
}

}  // namespace

Result<std::string> LogsService::CreateLogGroup(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "tags", "logGroupClass", "deletionProtectionEnabled"}));
  JsonCursor name = TRY(Required(input, "logGroupName"));
  std::string log_class = TRY(StringOr(input, "logGroupClass"));
  if (!log_class.empty() && log_class != "STANDARD") {
    return InvalidLogs("logGroupClass: only STANDARD is supported");
  }
  StoredGroup group;
  group.record.name = TRY(name.String());
  TRY(CheckGroupName(group.record.name));
  group.record.created_at = options_.now();
  std::optional<bool> is_protected = TRY(input.FindBoolean("deletionProtectionEnabled"));
  group.record.is_protected = is_protected.value_or(false);
  std::optional<JsonCursor> tags = TRY(input.Find("tags"));
  if (tags) TRY(AddTagsTo(group.record, *tags));
  TRY(StoreGroup(group));
  return std::string();
}

// The files go first: a crash in between leaves a group that can be deleted again.
Result<std::string> LogsService::DeleteLogGroup(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName"}));
  std::string name = TRY(GroupName(input, "logGroupName"));
  StoredGroup group = TRY(FindGroup(name));
  if (group.record.is_protected) {
    return Error(Code::kInvalid,
                 "The log group cannot be deleted while its deletion protection is enabled.")
        .WithKind("ValidationException");
  }
  std::vector<LogStreamRecord> streams = TRY(FindStreams(name, ""));
  std::vector<RecordWrite> writes{{keys::LogGroup(name), std::nullopt, std::nullopt}};
  for (const LogStreamRecord& stream : streams) {
    TRY(RemoveStream(SourceOf(stream), stream.directory));
    writes.push_back({keys::LogStream(name, stream.name), std::nullopt, std::nullopt});
  }
  TRY(store_.Commit(writes, Durability::kAccepted));
  return std::string();
}

Result<std::string> LogsService::PutLogGroupDeletionProtection(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupIdentifier", "deletionProtectionEnabled"}));
  std::string name = TRY(GroupName(input, "logGroupIdentifier"));
  JsonCursor flag = TRY(Required(input, "deletionProtectionEnabled"));
  StoredGroup group = TRY(FindGroup(name));
  group.record.is_protected = TRY(flag.Boolean());
  TRY(StoreGroup(group));
  return std::string();
}

Result<std::string> LogsService::DescribeLogGroups(const JsonCursor& input) {
  // No account is linked to this one, so including theirs changes nothing.
  TRY(CheckMembers(input, {"logGroupNamePrefix", "logGroupNamePattern", "nextToken", "limit",
                           "logGroupClass", "logGroupIdentifiers", "includeLinkedAccounts"}));
  std::vector<JsonCursor> identifiers = TRY(input.FindElements("logGroupIdentifiers"));
  if (identifiers.size() > kMaxLogsPage) return InvalidLogs("logGroupIdentifiers: at most 50");
  std::string prefix = TRY(StringOr(input, "logGroupNamePrefix"));
  std::string part = TRY(StringOr(input, "logGroupNamePattern"));
  std::string token = TRY(StringOr(input, "nextToken"));
  std::string log_class = TRY(StringOr(input, "logGroupClass"));
  int64_t limit = TRY(PageLimit(input, kMaxLogsPage));
  if (!prefix.empty() && !part.empty()) {
    return InvalidLogs(
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
  }
  Json answer{{"logGroups", Json::array()}};
  if (!log_class.empty() && log_class != "STANDARD") return EncodeJson(answer);
  if (!identifiers.empty() && !(prefix + part + token).empty()) {
    return InvalidLogs("logGroupIdentifiers: excludes a prefix, a pattern and a nextToken");
  }
  GroupPage page;
  if (identifiers.empty()) {
    page = TRY(ListGroups(prefix, part, token, static_cast<size_t>(limit)));
  } else {
    page = TRY(NamedGroups(identifiers));
  }
  size_t streams_left = kMaxSizedStreams;
  for (const LogGroupRecord& group : page.groups) {
    Json shown{{"logGroupName", group.name},
               {"deletionProtectionEnabled", group.is_protected},
               {"arn", GroupArn(group.name) + ":*"},
               {"logGroupArn", GroupArn(group.name)},
               {"creationTime", group.created_at / 1'000'000},
               {"metricFilterCount", 0},
               {"logGroupClass", "STANDARD"}};
    if (group.retention_days) shown["retentionInDays"] = *group.retention_days;
    std::optional<uint64_t> bytes = TRY(GroupBytes(group.name, streams_left));
    if (bytes) shown["storedBytes"] = *bytes;
    answer["logGroups"].push_back(std::move(shown));
  }
  if (!page.next.empty()) answer["nextToken"] = page.next;
  return EncodeJson(answer);
}

Result<std::string> LogsService::ListLogGroups(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupNamePattern", "nextToken", "limit"}));
  std::string part = TRY(StringOr(input, "logGroupNamePattern"));
  std::string token = TRY(StringOr(input, "nextToken"));
  int64_t limit = TRY(PageLimit(input, kMaxListedLogGroups));
  std::string prefix;
  if (part.starts_with('^')) std::swap(prefix, part), prefix.erase(0, 1);
  GroupPage page = TRY(ListGroups(prefix, part, token, static_cast<size_t>(limit)));
  Json answer{{"logGroups", Json::array()}};
  for (const LogGroupRecord& group : page.groups) {
    answer["logGroups"].push_back({{"logGroupName", group.name},
                                   {"logGroupArn", GroupArn(group.name)},
                                   {"logGroupClass", "STANDARD"}});
  }
  if (!page.next.empty()) answer["nextToken"] = page.next;
  return EncodeJson(answer);
}

Result<std::string> LogsService::DescribeMetricFilters(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "filterNamePrefix", "nextToken", "limit", "metricName",
                           "metricNamespace"}));
  TRY(PageLimit(input, kMaxLogsPage));
  std::optional<JsonCursor> given = TRY(input.Find("logGroupName"));
  if (given) {
    std::string name = TRY(GroupName(input, "logGroupName"));
    TRY(FindGroup(name));
  }
  return EncodeJson({{"metricFilters", Json::array()}});
}

Result<std::string> LogsService::DescribeSubscriptionFilters(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "filterNamePrefix", "nextToken", "limit"}));
  TRY(PageLimit(input, kMaxLogsPage));
  std::string name = TRY(GroupName(input, "logGroupName"));
  TRY(FindGroup(name));
  return EncodeJson({{"subscriptionFilters", Json::array()}});
}

Result<std::string> LogsService::PutRetentionPolicy(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "retentionInDays"}));
  std::string name = TRY(GroupName(input, "logGroupName"));
  JsonCursor cursor = TRY(Required(input, "retentionInDays"));
  int64_t days = TRY(cursor.Integer());
  if (std::find(std::begin(kRetentionDays), std::end(kRetentionDays), days) ==
      std::end(kRetentionDays)) {
    std::string choices;
    for (int64_t choice : kRetentionDays) {
      choices += (choices.empty() ? "" : ", ") + std::to_string(choice);
    }
    return Unsatisfied("retentionInDays", std::to_string(days),
                       "satisfy enum value set: [" + choices + "]");
  }
  StoredGroup group = TRY(FindGroup(name));
  group.record.retention_days = days;
  TRY(StoreGroup(group));
  return std::string();
}

Result<std::string> LogsService::DeleteRetentionPolicy(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName"}));
  std::string name = TRY(GroupName(input, "logGroupName"));
  StoredGroup group = TRY(FindGroup(name));
  group.record.retention_days.reset();
  TRY(StoreGroup(group));
  return std::string();
}

Result<std::string> LogsService::AddTags(const std::string& name, const JsonCursor& tags) {
  StoredGroup group = TRY(FindGroup(name));
  TRY(AddTagsTo(group.record, tags));
  TRY(StoreGroup(group));
  return std::string();
}

Result<std::string> LogsService::RemoveTags(const std::string& name,
                                            const std::vector<std::string>& keys) {
  StoredGroup group = TRY(FindGroup(name));
  std::erase_if(group.record.tags, [&](const Tag& tag) {
    return std::find(keys.begin(), keys.end(), tag.key) != keys.end();
  });
  TRY(StoreGroup(group));
  return std::string();
}

Result<std::string> LogsService::ShowTags(const std::string& name) {
  StoredGroup group = TRY(FindGroup(name));
  Json answer{{"tags", Json::object()}};
  for (const Tag& tag : group.record.tags) answer["tags"][tag.key] = tag.value;
  return EncodeJson(answer);
}

Result<std::string> LogsService::TagLogGroup(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "tags"}));
  std::string name = TRY(GroupName(input, "logGroupName"));
  JsonCursor tags = TRY(Required(input, "tags"));
  return AddTags(name, tags);
}

Result<std::string> LogsService::UntagLogGroup(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "tags"}));
  std::string name = TRY(GroupName(input, "logGroupName"));
  std::vector<std::string> keys = TRY(input.FindStrings("tags"));
  return RemoveTags(name, keys);
}

Result<std::string> LogsService::ListTagsLogGroup(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName"}));
  std::string name = TRY(GroupName(input, "logGroupName"));
  return ShowTags(name);
}

Result<std::string> LogsService::TagResource(const JsonCursor& input) {
  TRY(CheckMembers(input, {"resourceArn", "tags"}));
  std::string name = TRY(GroupName(input, "resourceArn"));
  JsonCursor tags = TRY(Required(input, "tags"));
  return AddTags(name, tags);
}

Result<std::string> LogsService::UntagResource(const JsonCursor& input) {
  TRY(CheckMembers(input, {"resourceArn", "tagKeys"}));
  std::string name = TRY(GroupName(input, "resourceArn"));
  std::vector<std::string> keys = TRY(input.FindStrings("tagKeys"));
  return RemoveTags(name, keys);
}

Result<std::string> LogsService::ListTagsForResource(const JsonCursor& input) {
  TRY(CheckMembers(input, {"resourceArn"}));
  std::string name = TRY(GroupName(input, "resourceArn"));
  return ShowTags(name);
}

Result<std::string> LogsService::CreateLogStream(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "logStreamName"}));
  std::string group = TRY(GroupName(input, "logGroupName"));
  JsonCursor cursor = TRY(Required(input, "logStreamName"));
  std::string name = TRY(cursor.String());
  TRY(CheckStreamName(name));
  TRY(FindGroup(group));
  LogStreamRecord stream{.group = group, .name = name, .source = LogStreamRecord::Source::kPut};
  stream.created_at = options_.now();
  char directory[64];
  // The time makes it another one than that of a stream of this name that was deleted.
  snprintf(directory, sizeof directory, "/%016llx-%lld",
           static_cast<unsigned long long>(HashOf(group + ":" + name)),
           static_cast<long long>(stream.created_at));
  stream.directory = options_.directory + directory;
  std::string key = keys::LogStream(group, name);
  auto stored = store_.Commit({{key, Encode(stream), 0}}, Durability::kAccepted);
  if (stored.ok()) return std::string();
  if (stored.error().code() != Code::kConflict) return std::move(stored).error();
  return Error(Code::kConflict, "The specified log stream already exists")
      .WithKind("ResourceAlreadyExistsException");
}

// A running container goes on writing to its directory, which then stays until its task is removed.
Result<std::string> LogsService::DeleteLogStream(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "logStreamName"}));
  std::string group = TRY(GroupName(input, "logGroupName"));
  JsonCursor name = TRY(Required(input, "logStreamName"));
  TRY(FindGroup(group));
  std::string stream_name = TRY(name.String());
  LogStreamRecord stream = TRY(FindStream(group, stream_name));
  TRY(RemoveStream(SourceOf(stream), stream.directory));
  TRY(store_.Commit({{keys::LogStream(group, stream_name), std::nullopt, std::nullopt}},
                    Durability::kAccepted));
  return std::string();
}

Result<std::string> LogsService::DescribeLogStreams(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "logGroupIdentifier", "logStreamNamePrefix", "orderBy",
                           "descending", "nextToken", "limit"}));
  std::string group = TRY(AnyGroupName(input));
  std::string prefix = TRY(StringOr(input, "logStreamNamePrefix"));
  std::string order = TRY(StringOr(input, "orderBy"));
  std::string token = TRY(StringOr(input, "nextToken"));
  std::optional<bool> descending = TRY(input.FindBoolean("descending"));
  auto limit = static_cast<size_t>(TRY(PageLimit(input, kMaxLogsPage)));
  bool is_by_time = order == "LastEventTime";
  if (!order.empty() && !is_by_time && order != "LogStreamName") {
    return Unsatisfied("orderBy", order, "satisfy enum value set: [LogStreamName, LastEventTime]");
  }
  if (is_by_time && !prefix.empty()) {
    return InvalidLogs("Cannot order by LastEventTime with a logStreamNamePrefix.");
  }
  TRY(FindGroup(group));
  std::vector<LogStreamRecord> streams = TRY(FindStreams(group, prefix));
  using Entry = std::pair<std::string, const LogStreamRecord*>;  // what orders it, and pages
  std::vector<Entry> entries;
  for (const LogStreamRecord& stream : streams) {
    std::string key = stream.name;
    if (is_by_time) {
      StreamTimes times = TRY(TimesOf(stream));
      char digits[32];
      snprintf(digits, sizeof digits, "%020lld/", static_cast<long long>(times.last.value_or(0)));
      key = digits + key;
    }
    entries.emplace_back(std::move(key), &stream);
  }
  std::sort(entries.begin(), entries.end());
  bool is_descending = descending.value_or(false);
  if (is_descending) std::reverse(entries.begin(), entries.end());
  Json answer{{"logStreams", Json::array()}};
  std::string last;
  for (const auto& [key, stream] : entries) {
    if (!token.empty() && (is_descending ? key >= token : key <= token)) continue;
    if (answer["logStreams"].size() == limit) {
      answer["nextToken"] = last;
      break;
    }
    StreamTimes times = TRY(TimesOf(*stream));
    answer["logStreams"].push_back(ShowStream(*stream, times, GroupArn(group)));
    last = key;
  }
  return EncodeJson(answer);
}

}  // namespace skiff::runtime::api
