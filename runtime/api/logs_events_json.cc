// The operations on log events.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "runtime/api/logs.h"
#include "runtime/api/logs_rules.h"
#include "runtime/logs/filter_pattern.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

struct Place {
  int64_t timestamp = 0;
  uint64_t id = 0;  // 0: before the first event
};

template <typename Number>
bool TakeNumber(std::string_view& text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.starts_with('/')) text.remove_prefix(1);
  return true;
}

size_t SizeOf(const LogEvent& event) { return event.message.size() + kEventOverhead; }

// --- PutLogEvents

struct Batch {
  std::vector<LogEvent> accepted;
  Json rejected = Json::object();
};

Result<std::vector<LogEvent>> DecodeBatch(const JsonCursor& input, int64_t now) {
  std::vector<JsonCursor> elements = TRY(input.FindElements("logEvents"));
  if (elements.empty()) {
    return Unsatisfied("logEvents", "[]", "have length greater than or equal to 1");
  }
  if (elements.size() > kMaxBatchEvents) {
    return InvalidLogs("logEvents: " + std::to_string(elements.size()) +
                       " events are more than the 10000 of one batch");
  }
  std::vector<LogEvent> events;
  size_t bytes = 0;
  for (const JsonCursor& element : elements) {
    JsonCursor timestamp = TRY(element.Get("timestamp"));
    JsonCursor message = TRY(element.Get("message"));
    LogEvent event;
    event.timestamp = TRY(timestamp.Integer(0));
    event.message = TRY(message.String());
    event.ingested = now;
    if (event.message.empty()) return InvalidLogs(message.path() + ": must not be empty");
    bytes += SizeOf(event);
    if (bytes > kMaxEventsBytes) return InvalidLogs("Upload too large: the limit is 1048576 bytes");
    if (!events.empty() && event.timestamp < events.back().timestamp) {
      return InvalidLogs(
          "Log events in a single PutLogEvents request must be in chronological order.");
    }
    events.push_back(std::move(event));
  }
  if (events.back().timestamp - events.front().timestamp > kMaxBatchSpan) {
    return InvalidLogs(
        "The batch of log events in a single PutLogEvents request cannot span more "
        "than 24 hours.");
  }
  return events;
}

// In order of time, so what is too old stands first and what is too new last.
Batch Sort(std::vector<LogEvent> events, int64_t now, std::optional<int64_t> expired) {
  auto before = [&](int64_t time) {
    auto at = std::find_if(events.begin(), events.end(),
                           [&](const LogEvent& event) { return event.timestamp >= time; });
    return at - events.begin();
  };
  auto too_old = before(now - kMaxEventAge);
  auto too_new = before(now + kMaxEventFuture + 1);
  auto gone = expired ? before(*expired) : 0;
  Batch batch;
  if (too_old > 0) batch.rejected["tooOldLogEventEndIndex"] = too_old;
  if (gone > too_old) batch.rejected["expiredLogEventEndIndex"] = gone;
  if (too_new < std::ssize(events)) batch.rejected["tooNewLogEventStartIndex"] = too_new;
  for (auto i = std::max(too_old, gone); i < too_new; ++i) {
    batch.accepted.push_back(std::move(events[static_cast<size_t>(i)]));
  }
  return batch;
}

// --- GetLogEvents

struct Window {
  int64_t start = INT64_MIN;
  int64_t end = INT64_MAX;  // exclusive
  size_t limit = 0;
  bool Holds(const LogEvent& event) const {
    return event.timestamp >= start && event.timestamp < end;
  }
};

struct EventPage {
  std::deque<LogEvent> events;
  size_t bytes = 0;
  bool Fits(const LogEvent& event, size_t limit) const {
    return events.empty() || (events.size() < limit && bytes + SizeOf(event) <= kMaxEventsBytes);
  }
  void Add(const LogEvent& event) {
    bytes += SizeOf(event);
    events.push_back(event);
  }
  void DropFirst() {
    bytes -= SizeOf(events.front());
    events.pop_front();
  }
};

EventRead ReadOf(const LogStreamRecord& stream) {
  return {.source = SourceOf(stream), .directory = stream.directory};
}

// What follows `after` in the stream's own order. When its event is gone with its file, everything
// with a greater id does.
Result<EventPage> ReadForward(const LogStreamRecord& stream, const Window& window,
                              std::optional<Place> after, bool is_gone = false) {
  EventPage page;
  EventRead read = ReadOf(stream);
  bool is_container = read.source == EventSource::kContainer;
  if (is_container && window.start != INT64_MIN) read.since = window.start;
  if (is_container && after) read.since = after->timestamp - kHeldLineBeforeToken;
  bool is_past = !after || is_gone;
  TRY(ReadStream(read, [&](const LogEvent& event) {
    if (!is_past) {
      is_past = event.id == after->id;
      return true;
    }
    if (is_gone && event.id <= after->id) return true;
    if (is_container && window.end != INT64_MAX && event.timestamp - kHeldLine > window.end) {
      return false;
    }
    if (!window.Holds(event)) return true;
    if (!page.Fits(event, window.limit)) return false;
    page.Add(event);
    return page.events.size() < window.limit;
  }));
  if (!is_past) return ReadForward(stream, window, after, true);
  return page;
}

// The last of the window; with `before`, of what lies before it in the stream's own order.
Result<EventPage> ReadBackward(const LogStreamRecord& stream, const Window& window,
                               std::optional<Place> before, bool is_gone = false) {
  EventPage page;
  EventRead read = ReadOf(stream);
  bool is_container = read.source == EventSource::kContainer;
  if (is_container && window.start != INT64_MIN) read.since = window.start;
  if (is_container && !before && window.end == INT64_MAX) read.tail = window.limit;
  bool is_found = false;
  TRY(ReadStream(read, [&](const LogEvent& event) {
    is_found = before && event.id == before->id;
    if (is_found) return false;
    if (!window.Holds(event) || (is_gone && event.id >= before->id)) return true;
    while (!page.Fits(event, window.limit)) page.DropFirst();
    page.Add(event);
    return true;
  }));
  if (before && !is_found && !is_gone) return ReadBackward(stream, window, before, true);
  return page;
}

std::string TokenOf(char direction, const Place& place) {
  return std::string(1, direction) + "/" + std::to_string(place.timestamp) + "/" +
         std::to_string(place.id);
}

Result<Place> PlaceOf(std::string_view token) {
  Place place;
  bool is_ours = token.starts_with("f/") || token.starts_with("b/");
  if (is_ours) token.remove_prefix(2);
  if (!is_ours || !TakeNumber(token, place.timestamp) || !TakeNumber(token, place.id) ||
      !token.empty()) {
    return InvalidLogs("The specified nextToken is invalid.");
  }
  return place;
}

Json ShowEvents(std::deque<LogEvent> events) {
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; });
  Json shown = Json::array();
  for (const LogEvent& event : events) {
    shown.push_back({{"timestamp", event.timestamp},
                     {"message", event.message},
                     {"ingestionTime", event.ingested}});
  }
  return shown;
}

// --- FilterLogEvents

// Time, the stream's name, the event's id: an order of all events of a group.
using FilterKey = std::tuple<int64_t, std::string, uint64_t>;

struct FilterQuery {
  FilterPattern pattern;
  int64_t start = INT64_MIN;
  int64_t end = INT64_MAX;  // inclusive
  size_t limit = 0;
  std::optional<FilterKey> after;
  size_t scan = 0;  // bytes of one stream
};

// The first `limit` matches after the query's place, before the horizon.
struct FilterPage {
  std::map<FilterKey, std::pair<LogEvent, const LogStreamRecord*>> matches;
  size_t bytes = 0;
  bool is_cut = false;
  // Of this time and later some stream was not read.
  int64_t horizon = INT64_MAX;

  // What is later cannot be on this page.
  int64_t Latest(const FilterQuery& query) const {
    int64_t latest = horizon == INT64_MAX ? query.end : std::min(query.end, horizon - 1);
    return is_cut ? std::min(latest, std::get<0>(matches.rbegin()->first)) : latest;
  }

  // Where the next page begins: behind the last match, or where reading ended.
  std::optional<FilterKey> Close() {
    if (horizon == INT64_MAX) {
      return is_cut ? std::optional(matches.rbegin()->first) : std::nullopt;
    }
    FilterKey end(horizon, "", 0);
    auto beyond = matches.lower_bound(end);
    if (is_cut && beyond == matches.end()) return matches.rbegin()->first;
    matches.erase(beyond, matches.end());
    return end;
  }

  void Add(const LogEvent& event, const LogStreamRecord& stream, size_t limit) {
    FilterKey key(event.timestamp, stream.name, event.id);
    if (!matches.emplace(std::move(key), std::pair(event, &stream)).second) return;
    bytes += SizeOf(event);
    while (matches.size() > limit || (bytes > kMaxEventsBytes && matches.size() > 1)) {
      is_cut = true;
      auto last = std::prev(matches.end());
      bytes -= SizeOf(last->second.first);
      matches.erase(last);
    }
  }
};

Result<> Search(const LogStreamRecord& stream, const FilterQuery& query, FilterPage& page) {
  EventRead read = ReadOf(stream);
  bool is_container = read.source == EventSource::kContainer;
  int64_t since = std::max(query.start, query.after ? std::get<0>(*query.after) : INT64_MIN);
  if (since != INT64_MIN) read.since = since;
  size_t scanned = 0;
  std::optional<int64_t> began;
  return ReadStream(read, [&](const LogEvent& event) {
    // What comes later in a container's log is later in time, but for lines that were held.
    int64_t reached = event.timestamp - kHeldLine;
    int64_t latest = page.Latest(query);
    scanned += SizeOf(event);
    if (!began) began = std::max(since, event.timestamp);
    // Twice that, so that what is read again is not more than what is gained.
    if (is_container && scanned > query.scan && event.timestamp >= *began + 2 * kHeldLine) {
      page.horizon = std::min(page.horizon, reached);
      return false;
    }
    if (event.timestamp > latest) return !is_container || reached <= latest;
    if (query.after && FilterKey(event.timestamp, stream.name, event.id) <= *query.after) {
      return true;
    }
    if (query.pattern.Matches(event.message)) page.Add(event, stream, query.limit);
    return true;
  });
}

std::string TokenOf(const FilterKey& key) {
  return std::to_string(std::get<0>(key)) + "/" + std::to_string(std::get<2>(key)) + "/" +
         std::get<1>(key);
}

Result<FilterKey> FilterKeyOf(std::string_view token) {
  FilterKey key;
  if (std::count(token.begin(), token.end(), '/') < 2 || !TakeNumber(token, std::get<0>(key)) ||
      !TakeNumber(token, std::get<2>(key))) {
    return InvalidLogs("The specified nextToken is invalid.");
  }
  std::get<1>(key) = std::string(token);
  return key;
}

// 56 digits: the time, the stream's name and age, the place in it.
std::string EventId(const LogEvent& event, const LogStreamRecord& stream) {
  uint64_t name =
      HashOf(stream.group + ":" + stream.name + ":" + std::to_string(stream.created_at));
  char id[64];
  snprintf(id, sizeof id, "%018lld%020llu%018llu", static_cast<long long>(event.timestamp),
           static_cast<unsigned long long>(name), static_cast<unsigned long long>(event.id));
  return id;
}

}  // namespace

Result<std::string> LogsService::PutLogEvents(const JsonCursor& input) {
  // The sequence token means nothing since 2023.
  TRY(CheckMembers(input,
                   {"logGroupName", "logStreamName", "logEvents", "sequenceToken", "entity"}));
  std::string group_name = TRY(GroupName(input, "logGroupName"));
  JsonCursor cursor = TRY(Required(input, "logStreamName"));
  std::string stream_name = TRY(cursor.String());
  int64_t now = NowMilliseconds();
  std::vector<LogEvent> events = TRY(DecodeBatch(input, now));
  StoredGroup group = TRY(FindGroup(group_name));
  LogStreamRecord stream = TRY(FindStream(group_name, stream_name));
  if (stream.source != LogStreamRecord::Source::kPut) {
    return InvalidLogs("logStreamName: a container writes log stream " + stream_name);
  }
  Batch batch = Sort(std::move(events), now, ExpiredBefore(group.record));
  TRY(AppendEvents(stream.directory, batch.accepted)
          .Context("log stream " + group_name + ":" + stream_name));
  char sequence[64];  // 56 digits, as AWS's
  snprintf(sequence, sizeof sequence, "%056lld", static_cast<long long>(now));
  Json answer{{"nextSequenceToken", sequence}};
  // Entities belong to Application Signals, which is not here. The events are taken all the same.
  std::optional<JsonCursor> entity = TRY(input.Find("entity"));
  if (entity) answer["rejectedEntityInfo"] = {{"errorType", "UnsupportedLogGroupType"}};
  if (!batch.rejected.empty()) answer["rejectedLogEventsInfo"] = batch.rejected;
  return EncodeJson(answer);
}

Result<std::string> LogsService::GetLogEvents(const JsonCursor& input) {
  TRY(CheckMembers(input, {"logGroupName", "logGroupIdentifier", "logStreamName", "startTime",
                           "endTime", "nextToken", "limit", "startFromHead", "unmask"}));
  std::string group_name = TRY(AnyGroupName(input));
  JsonCursor cursor = TRY(Required(input, "logStreamName"));
  std::string stream_name = TRY(cursor.String());
  std::optional<int64_t> start = TRY(input.FindInteger("startTime", 0));
  std::optional<int64_t> end = TRY(input.FindInteger("endTime", 0));
  std::string token = TRY(StringOr(input, "nextToken"));
  std::optional<bool> from_head = TRY(input.FindBoolean("startFromHead"));
  int64_t limit = TRY(PageLimit(input, kMaxEventsPage));
  StoredGroup group = TRY(FindGroup(group_name));
  LogStreamRecord stream = TRY(FindStream(group_name, stream_name));
  Window window{start.value_or(INT64_MIN), end.value_or(INT64_MAX), static_cast<size_t>(limit)};
  window.start = std::max(window.start, ExpiredBefore(group.record).value_or(INT64_MIN));
  std::optional<Place> place;
  if (!token.empty()) place = TRY(PlaceOf(token));
  bool is_forward = token.empty() ? from_head.value_or(false) : token.front() == 'f';
  std::optional<Place> from = place && place->id != 0 ? place : std::nullopt;
  EventPage page;
  if (is_forward) {
    page = TRY(ReadForward(stream, window, from));
  } else if (token.empty() || from) {
    page = TRY(ReadBackward(stream, window, from));
  }
  Place first = place.value_or(Place{});
  Place last = first;
  if (!page.events.empty()) {
    first = {page.events.front().timestamp, page.events.front().id};
    last = {page.events.back().timestamp, page.events.back().id};
  }
  return EncodeJson(Json{{"events", ShowEvents(std::move(page.events))},
                         {"nextForwardToken", TokenOf('f', last)},
                         {"nextBackwardToken", TokenOf('b', first)}});
}

Result<std::string> LogsService::FilterLogEvents(const JsonCursor& input) {
  // Interleaved is what the answer always is.
  TRY(CheckMembers(input, {"logGroupName", "logGroupIdentifier", "logStreamNames",
                           "logStreamNamePrefix", "startTime", "endTime", "filterPattern",
                           "nextToken", "limit", "interleaved", "unmask"}));
  std::string group_name = TRY(AnyGroupName(input));
  std::vector<std::string> names = TRY(input.FindStrings("logStreamNames"));
  std::string prefix = TRY(StringOr(input, "logStreamNamePrefix"));
  std::optional<int64_t> start = TRY(input.FindInteger("startTime", 0));
  std::optional<int64_t> end = TRY(input.FindInteger("endTime", 0));
  std::string text = TRY(StringOr(input, "filterPattern"));
  std::string token = TRY(StringOr(input, "nextToken"));
  int64_t limit = TRY(PageLimit(input, kMaxEventsPage));
  FilterPattern pattern = TRY(FilterPattern::Parse(text));
  if (!names.empty() && !prefix.empty()) {
    return InvalidLogs("logStreamNames and logStreamNamePrefix exclude each other");
  }
  if (names.size() > kMaxFilteredStreams) return InvalidLogs("logStreamNames: at most 100");
  StoredGroup group = TRY(FindGroup(group_name));
  FilterQuery query{std::move(pattern), start.value_or(INT64_MIN), end.value_or(INT64_MAX),
                    static_cast<size_t>(limit), std::nullopt};
  query.start = std::max(query.start, ExpiredBefore(group.record).value_or(INT64_MIN));
  if (!token.empty()) query.after = TRY(FilterKeyOf(token));
  std::vector<LogStreamRecord> streams;
  if (names.empty()) streams = TRY(FindStreams(group_name, prefix));
  for (const std::string& name : std::set<std::string>(names.begin(), names.end())) {
    LogStreamRecord stream = TRY(FindStream(group_name, name));
    streams.push_back(std::move(stream));
  }
  FilterPage page;
  if (!streams.empty()) {
    query.scan = std::max(options_.max_scanned / streams.size(), kMinScannedBytes);
  }
  for (const LogStreamRecord& stream : streams) {
    TRY(Search(stream, query, page).Context("log stream " + group_name + ":" + stream.name));
  }
  std::optional<FilterKey> next = page.Close();
  Json answer{{"events", Json::array()}, {"searchedLogStreams", Json::array()}};
  for (const auto& [key, match] : page.matches) {
    const auto& [event, stream] = match;
    answer["events"].push_back({{"logStreamName", stream->name},
                                {"timestamp", event.timestamp},
                                {"message", event.message},
                                {"ingestionTime", event.ingested},
                                {"eventId", EventId(event, *stream)}});
  }
  if (next) answer["nextToken"] = TokenOf(*next);
  return EncodeJson(answer);
}

}  // namespace skiff::runtime::api
