// What CloudWatch Logs' operations share: its limits, errors in its words, names it accepts.
// Private to the logs_*.cc files of runtime/api.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "isolation/base/json.h"
#include "isolation/base/result.h"
#include "runtime/control/records.h"
#include "runtime/logs/stream_events.h"

namespace skiff::runtime::api {

inline constexpr int64_t kMaxLogsPage = 50;           // of groups and streams
inline constexpr int64_t kMaxListedLogGroups = 1000;  // of ListLogGroups
inline constexpr int64_t kMaxEventsPage = 10'000;
inline constexpr size_t kMaxEventsBytes = 1 << 20;  // of a page, and of a batch
inline constexpr size_t kEventOverhead = 26;        // counted for each event beside its bytes
inline constexpr size_t kMaxBatchEvents = 10'000;
inline constexpr size_t kMinScannedBytes = 1 << 16;  // of one stream (LogsOptions::max_scanned)
inline constexpr size_t kMaxFilteredStreams = 100;   // named by FilterLogEvents
inline constexpr size_t kMaxLogName = 512;
inline constexpr size_t kMaxLogTags = 50;
inline constexpr size_t kMaxTagKey = 128;
inline constexpr size_t kMaxTagValue = 256;
inline constexpr size_t kLogRecordsAtOnce = 1000;  // read from the store
inline constexpr size_t kMaxSizedStreams = 1000;   // for the storedBytes of one page of groups
inline constexpr int64_t kMaxBatchSpan = 24 * int64_t{3600'000};  // milliseconds
inline constexpr int64_t kMaxEventFuture = 2 * int64_t{3600'000};
inline constexpr int64_t kMaxEventAge = int64_t{14} * 24 * 3600'000;
// A line counts from its first byte and may be completed so much later than others.
inline constexpr int64_t kHeldLine = 10'000;
inline constexpr int64_t kHeldLineBeforeToken = 3600'000;

Error InvalidLogs(std::string_view problem);  // InvalidParameterException
// In the words of AWS's model checks: "1 validation error detected: Value '51' at 'limit' failed to
// satisfy constraint: Member must have value less than or equal to 50".
Error Unsatisfied(std::string_view member, std::string_view value, std::string_view constraint);
Error NoLogGroup();
Error NoLogStream();

Result<> CheckGroupName(std::string_view name);
Result<> CheckStreamName(std::string_view name);
Result<JsonCursor> Required(const JsonCursor& input, std::string_view name);
// Members that this version does not know are refused, not ignored.
Result<> CheckMembers(const JsonCursor& input, std::initializer_list<std::string_view> known);
Result<int64_t> PageLimit(const JsonCursor& input, int64_t most);
Result<std::string> StringOr(const JsonCursor& input, std::string_view name);  // "" when absent
Result<> AddTagsTo(LogGroupRecord& group, const JsonCursor& tags);
EventSource SourceOf(const LogStreamRecord& stream);
uint64_t HashOf(std::string_view text);

}  // namespace skiff::runtime::api
