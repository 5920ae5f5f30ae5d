// CloudWatch Logs: groups, streams, events, retention and tags.
//
// Groups and streams are records of the store. A container's stream is read where its supervisor
// writes it; events that are put go to a directory of their own (runtime/logs/event_file.h). One
// thread: the server's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/api/operation.h"
#include "runtime/control/records.h"
#include "runtime/control/settings.h"
#include "runtime/logs/stream_events.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

struct LogsOptions {
  ControlSettings settings;
  std::string directory;         // of events that are put; made when needed
  std::function<int64_t()> now;  // wall nanoseconds; null: the clock
  // Of containers' logs, for one page of FilterLogEvents; each stream has its part of it.
  size_t max_scanned = 64 << 20;
};

class LogsService {
 public:
  // `store` outlives it.
  LogsService(Store& store, LogsOptions options);

  Result<std::string> CreateLogGroup(const JsonCursor& input);
  Result<std::string> DeleteLogGroup(const JsonCursor& input);
  Result<std::string> DescribeLogGroups(const JsonCursor& input);
  Result<std::string> PutLogGroupDeletionProtection(const JsonCursor& input);
  Result<std::string> ListLogGroups(const JsonCursor& input);
  // No filters can be made: there are none.
  Result<std::string> DescribeMetricFilters(const JsonCursor& input);
  Result<std::string> DescribeSubscriptionFilters(const JsonCursor& input);
  Result<std::string> PutRetentionPolicy(const JsonCursor& input);
  Result<std::string> DeleteRetentionPolicy(const JsonCursor& input);
  Result<std::string> TagLogGroup(const JsonCursor& input);
  Result<std::string> UntagLogGroup(const JsonCursor& input);
  Result<std::string> ListTagsLogGroup(const JsonCursor& input);
  Result<std::string> TagResource(const JsonCursor& input);
  Result<std::string> UntagResource(const JsonCursor& input);
  Result<std::string> ListTagsForResource(const JsonCursor& input);
  Result<std::string> CreateLogStream(const JsonCursor& input);
  Result<std::string> DeleteLogStream(const JsonCursor& input);
  Result<std::string> DescribeLogStreams(const JsonCursor& input);
  Result<std::string> PutLogEvents(const JsonCursor& input);
  Result<std::string> GetLogEvents(const JsonCursor& input);
  Result<std::string> FilterLogEvents(const JsonCursor& input);

  // What a call touches, for the statements of a policy: "...:log-group:NAME:log-stream:STREAM", as
  // AWS writes it, the stream empty when it is about the group. Empty: no group is named.
  std::vector<std::string> Resources(const JsonCursor& input) const;

  // Removes what is older than its group's retention. The daemon calls it every hour.
  Result<> ApplyRetention();

 private:
  struct StoredGroup {
    LogGroupRecord record;
    uint64_t version = 0;
  };
  struct GroupPage {
    std::vector<LogGroupRecord> groups;
    std::string next;  // "" at the end
  };

  // logs_records.cc
  int64_t NowMilliseconds() const;
  std::string GroupArn(const std::string& name) const;
  Result<StoredGroup> FindGroup(const std::string& name);
  Result<LogStreamRecord> FindStream(const std::string& group, const std::string& name);
  Result<std::vector<LogStreamRecord>> FindStreams(const std::string& group,
                                                   const std::string& prefix);
  Result<GroupPage> ListGroups(const std::string& prefix, const std::string& part,
                               const std::string& after, size_t limit);
  // The groups that are named, in the order of their names; those that do not exist are left out.
  Result<GroupPage> NamedGroups(const std::vector<JsonCursor>& identifiers);
  // nullopt: more streams than `streams_left`, which is counted down.
  Result<std::optional<uint64_t>> GroupBytes(const std::string& group, size_t& streams_left);
  Result<> StoreGroup(const StoredGroup& group);
  // Events before it are gone, whether their files still are there or not; milliseconds.
  std::optional<int64_t> ExpiredBefore(const LogGroupRecord& group) const;
  // Of logGroupName, logGroupIdentifier or resourceArn.
  Result<std::string> GroupName(const JsonCursor& input, std::string_view member) const;
  Result<std::string> GroupNameIn(const JsonCursor& cursor) const;
  Result<std::string> AnyGroupName(const JsonCursor& input) const;
  Result<std::string> AddTags(const std::string& group, const JsonCursor& tags);
  Result<std::string> RemoveTags(const std::string& group, const std::vector<std::string>& keys);
  Result<std::string> ShowTags(const std::string& group);

  Store& store_;
  LogsOptions options_;
};

// The service outlives the table.
OperationTable LogsOperations(LogsService* service);

}  // namespace skiff::runtime::api
