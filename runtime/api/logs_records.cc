// Log groups and streams in the store, and the table of operations.
#include <algorithm>
#include <array>
#include <set>

#include "isolation/base/clock.h"
#include "runtime/api/logs.h"
#include "runtime/api/logs_rules.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

constexpr int64_t kDay = 24 * 3600'000LL;

// nullopt: there is none, or it could not be read and is in quarantine now.
template <typename Record>
Result<std::optional<Record>> Decoded(Store& store, const StoredRecord& stored,
                                      Result<Record> (*decode)(std::string_view)) {
  Result<Record> record = decode(stored.value);
  if (record.ok()) return std::optional<Record>(std::move(record).value());
  TRY(store.Quarantine(stored.key, record.error().message()));
  return std::optional<Record>();
}

}  // namespace

LogsService::LogsService(Store& store, LogsOptions options)
    : store_(store), options_(std::move(options)) {
  if (!options_.now) options_.now = WallNanoseconds;
}

int64_t LogsService::NowMilliseconds() const { return options_.now() / 1'000'000; }

std::string LogsService::GroupArn(const std::string& name) const {
  return "arn:aws:logs:" + options_.settings.region + ":" + options_.settings.account_id +
         ":log-group:" + name;
}

Result<LogsService::StoredGroup> LogsService::FindGroup(const std::string& name) {
  TRY(CheckGroupName(name));
  std::optional<StoredRecord> stored = TRY(store_.Get(keys::LogGroup(name)));
  if (!stored) return NoLogGroup();
  std::optional<LogGroupRecord> record = TRY(Decoded(store_, *stored, DecodeLogGroup));
  if (!record) return NoLogGroup();
  return StoredGroup{std::move(*record), stored->version};
}

Result<LogStreamRecord> LogsService::FindStream(const std::string& group, const std::string& name) {
  TRY(CheckStreamName(name));
  std::optional<StoredRecord> stored = TRY(store_.Get(keys::LogStream(group, name)));
  if (!stored) return NoLogStream();
  std::optional<LogStreamRecord> record = TRY(Decoded(store_, *stored, DecodeLogStream));
  if (!record) return NoLogStream();
  return std::move(*record);
}

Result<std::vector<LogStreamRecord>> LogsService::FindStreams(const std::string& group,
                                                              const std::string& prefix) {
  std::vector<LogStreamRecord> streams;
  RangeRequest request{.prefix = keys::LogStreams(group) + prefix, .limit = kLogRecordsAtOnce};
  for (;;) {
    std::vector<StoredRecord> page = TRY(store_.Range(request));
    for (const StoredRecord& stored : page) {
      std::optional<LogStreamRecord> record = TRY(Decoded(store_, stored, DecodeLogStream));
      if (record) streams.push_back(std::move(*record));
    }
    if (page.empty()) return streams;
    request.after = page.back().key;
  }
}

Result<LogsService::GroupPage> LogsService::ListGroups(const std::string& prefix,
                                                       const std::string& part,
                                                       const std::string& after, size_t limit) {
  GroupPage found;
  RangeRequest request{.prefix = keys::kLogGroups + prefix, .limit = kLogRecordsAtOnce};
  if (!after.empty()) request.after = keys::LogGroup(after);
  for (;;) {
    std::vector<StoredRecord> page = TRY(store_.Range(request));
    if (page.empty()) return found;
    for (const StoredRecord& stored : page) {
      std::optional<LogGroupRecord> record = TRY(Decoded(store_, stored, DecodeLogGroup));
      if (!record || record->name.find(part) == std::string::npos) continue;
      if (found.groups.size() == limit) {
        found.next = found.groups.back().name;
        return found;
      }
      found.groups.push_back(std::move(*record));
    }
    request.after = page.back().key;
  }
}

Result<LogsService::GroupPage> LogsService::NamedGroups(
    const std::vector<JsonCursor>& identifiers) {
  std::set<std::string> names;
  for (const JsonCursor& identifier : identifiers) {
    std::string name = TRY(GroupNameIn(identifier));
    names.insert(std::move(name));
  }
  GroupPage page;
  for (const std::string& name : names) {
    Result<StoredGroup> group = FindGroup(name);
    if (group.ok()) {
      page.groups.push_back(std::move(group).value().record);
    } else if (group.error().code() != Code::kNotFound) {
      return std::move(group).error();
    }
  }
  return page;
}

Result<std::optional<uint64_t>> LogsService::GroupBytes(const std::string& group,
                                                        size_t& streams_left) {
  std::vector<StoredRecord> streams =
      TRY(store_.Range({.prefix = keys::LogStreams(group), .limit = streams_left + 1}));
  if (streams.size() > streams_left) return std::optional<uint64_t>();
  streams_left -= streams.size();
  uint64_t bytes = 0;
  for (const StoredRecord& stored : streams) {
    std::optional<LogStreamRecord> stream = TRY(Decoded(store_, stored, DecodeLogStream));
    if (!stream) continue;
    uint64_t size = TRY(StoredBytes(stream->directory));
    bytes += size;
  }
  return std::optional<uint64_t>(bytes);
}

Result<> LogsService::StoreGroup(const StoredGroup& group) {
  std::string key = keys::LogGroup(group.record.name);
  auto stored = store_.Commit({{key, Encode(group.record), group.version}}, Durability::kAccepted);
  if (stored.ok()) return {};
  if (stored.error().code() != Code::kConflict) return std::move(stored).error();
  if (group.version != 0) {
    return std::move(stored).error().Context("log group").WithKind("OperationAbortedException");
  }
  return Error(Code::kConflict, "The specified log group already exists")
      .WithKind("ResourceAlreadyExistsException");
}

std::optional<int64_t> LogsService::ExpiredBefore(const LogGroupRecord& group) const {
  if (!group.retention_days) return std::nullopt;
  return NowMilliseconds() - *group.retention_days * kDay;
}

// A name, or an ARN of this account's: "arn:aws:logs:<region>:<account>:log-group:<name>[:*]".
Result<std::string> LogsService::GroupNameIn(const JsonCursor& cursor) const {
  std::string name = TRY(cursor.String());
  if (name.starts_with("arn:")) {
    std::string own = GroupArn("");
    if (!name.starts_with(own)) {
      return InvalidLogs(cursor.path() + ": an ARN beginning with " + own + " expected");
    }
    name.erase(0, own.size());
    if (name.ends_with(":*")) name.resize(name.size() - 2);
  }
  TRY(CheckGroupName(name));
  return name;
}

Result<std::string> LogsService::GroupName(const JsonCursor& input, std::string_view member) const {
  JsonCursor cursor = TRY(Required(input, member));
  std::string text = TRY(cursor.String());
  if (member == "resourceArn" && !text.starts_with("arn:")) {
    return InvalidLogs("resourceArn: an ARN expected");
  }
  return GroupNameIn(cursor);
}

Result<std::string> LogsService::AnyGroupName(const JsonCursor& input) const {
  std::string name = TRY(StringOr(input, "logGroupName"));
  std::string identifier = TRY(StringOr(input, "logGroupIdentifier"));
  if (!name.empty() && !identifier.empty()) {
    return Error(Code::kInvalid,
                 "LogGroup name and LogGroup ARN are mutually exclusive parameters.")
        .WithKind("ValidationException");
  }
  if (name.empty() && identifier.empty()) {
    return InvalidLogs("one of logGroupName and logGroupIdentifier is required");
  }
  if (name.empty()) return GroupName(input, "logGroupIdentifier");
  TRY(CheckGroupName(name));
  return name;
}

std::vector<std::string> LogsService::Resources(const JsonCursor& input) const {
  for (const char* member : {"logGroupName", "logGroupIdentifier", "resourceArn"}) {
    Result<std::string> given = StringOr(input, member);
    if (!given.ok() || given.value().empty()) continue;
    // A name that cannot be read is refused by the operation; until then it needs every right.
    Result<std::string> name = GroupName(input, member);
    Result<std::string> stream = StringOr(input, "logStreamName");
    if (!name.ok() || !stream.ok()) return {};
    return {GroupArn(name.value()) + ":log-stream:" + stream.value()};
  }
  return {};
}

Result<> LogsService::ApplyRetention() {
  std::string after;
  do {
    GroupPage page = TRY(ListGroups("", "", after, kLogRecordsAtOnce));
    for (const LogGroupRecord& group : page.groups) {
      std::optional<int64_t> before = ExpiredBefore(group);
      if (!before) continue;
      std::vector<LogStreamRecord> streams = TRY(FindStreams(group.name, ""));
      for (const LogStreamRecord& stream : streams) {
        TRY(ExpireStream(SourceOf(stream), stream.directory, *before)
                .Context("log stream " + group.name + ":" + stream.name));
      }
    }
    after = page.next;
  } while (!after.empty());
  return {};
}

OperationTable LogsOperations(LogsService* service) {
  using Method = Result<std::string> (LogsService::*)(const JsonCursor&);
  constexpr std::array<std::pair<const char*, Method>, 21> kMethods{{
      {"CreateLogGroup", &LogsService::CreateLogGroup},
      {"DeleteLogGroup", &LogsService::DeleteLogGroup},
      {"DescribeLogGroups", &LogsService::DescribeLogGroups},
      {"PutLogGroupDeletionProtection", &LogsService::PutLogGroupDeletionProtection},
      {"ListLogGroups", &LogsService::ListLogGroups},
      {"DescribeMetricFilters", &LogsService::DescribeMetricFilters},
      {"DescribeSubscriptionFilters", &LogsService::DescribeSubscriptionFilters},
      {"PutRetentionPolicy", &LogsService::PutRetentionPolicy},
      {"DeleteRetentionPolicy", &LogsService::DeleteRetentionPolicy},
      {"TagLogGroup", &LogsService::TagLogGroup},
      {"UntagLogGroup", &LogsService::UntagLogGroup},
      {"ListTagsLogGroup", &LogsService::ListTagsLogGroup},
      {"TagResource", &LogsService::TagResource},
      {"UntagResource", &LogsService::UntagResource},
      {"ListTagsForResource", &LogsService::ListTagsForResource},
      {"CreateLogStream", &LogsService::CreateLogStream},
      {"DeleteLogStream", &LogsService::DeleteLogStream},
      {"DescribeLogStreams", &LogsService::DescribeLogStreams},
      {"PutLogEvents", &LogsService::PutLogEvents},
      {"GetLogEvents", &LogsService::GetLogEvents},
      {"FilterLogEvents", &LogsService::FilterLogEvents},
  }};
  OperationTable table{.service = "logs", .target_prefix = "Logs_20140328"};
  for (const auto& [name, method] : kMethods) {
    table.operations[name].run = [service, run = method](const Call& call) -> Result<std::string> {
      Result<std::string> answer = (service->*run)(call.input);
      if (answer.ok() || answer.error().code() != Code::kInvalid || *answer.error().kind() != 0) {
        return answer;
      }
      return std::move(answer).error().WithKind("InvalidParameterException");
    };
    table.operations[name].resources = [service](const Call& call) {
      return service->Resources(call.input);
    };
  }
  return table;
}

}  // namespace skiff::runtime::api
