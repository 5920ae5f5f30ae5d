#include <limits>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "runtime/model/event.h"
#include "runtime/model/event_names.h"
#include "runtime/model/limits.h"

namespace skiff::runtime {
namespace {

using nlohmann::json;

// Visits every member that has a text or a number; `line` is an EventWriter or an EventReader.
template <typename Line, typename AnyEvent>
void EventMembers(Line& line, AnyEvent& event) {
  line("container", event.container);
  line("image", event.image);
  line("digest", event.digest);
  line("runtimeId", event.runtime_id);
  line("pid", event.pid);
  line("exitCode", event.exit_code);
  line("signal", event.signal);
  line("oomKilled", event.oom_killed);
  line("reason", event.reason);
  line("text", event.text);
  line("step", event.step);
  line("durationNs", event.duration_ns);
  line("storedBytes", event.stored_bytes);
  line("lostBytes", event.lost_bytes);
  line("address", event.address);
  line("mac", event.mac);
  line("eni", event.eni);
}

// Only what carries something is written.
struct EventWriter {
  json line;
  void operator()(const char* name, const std::string& text) {
    if (!text.empty()) line[name] = text.substr(0, kMaxEventTextLength);
  }
  void operator()(const char* name, int64_t number) {
    if (number != 0) line[name] = number;
  }
  void operator()(const char* name, const std::optional<int>& number) {
    if (number) line[name] = *number;
  }
  void operator()(const char* name, bool value) {
    if (value) line[name] = true;
  }
};

// Keeps the first error; afterwards it reads nothing.
struct EventReader {
  explicit EventReader(JsonCursor at) : cursor(std::move(at)) {}
  JsonCursor cursor;
  std::optional<Error> error;

  template <typename Found>
  bool Take(Result<std::optional<Found>> found, Found* value) {
    if (!found.ok()) {
      if (!error) error = std::move(found).error();
      return false;
    }
    if (!found.value()) return false;
    *value = *std::move(found).value();
    return true;
  }
  void operator()(const char* name, std::string& text) { Take(cursor.FindString(name), &text); }
  void operator()(const char* name, int64_t& number) { Take(cursor.FindInteger(name), &number); }
  void operator()(const char* name, bool& value) { Take(cursor.FindBoolean(name), &value); }
  void operator()(const char* name, std::optional<int>& number) {
    using Limits = std::numeric_limits<int>;
    int64_t wide = 0;
    if (Take(cursor.FindInteger(name, Limits::min(), Limits::max()), &wide)) {
      number = static_cast<int>(wide);
    }
  }
};

Result<EventType> ReadType(const JsonCursor& line) {
  JsonCursor cursor = TRY(line.Get("type"));
  std::string name = TRY(cursor.String());
  std::optional<EventType> type = ValueIn(kEventTypeNames, name);
  if (!type) return cursor.Invalid("unknown event type \"" + name + "\"");
  return *type;
}

Result<std::optional<StopCode>> ReadStopCode(const JsonCursor& line) {
  std::optional<std::string> name = TRY(line.FindString("stopCode"));
  if (!name) return std::optional<StopCode>();
  std::optional<StopCode> code = ParseStopCode(*name);
  if (!code) return Error(Code::kInvalid, "stopCode: unknown code \"" + *name + "\"");
  return code;
}

}  // namespace

std::string EncodeEvent(const Event& event) {
  EventWriter writer;
  EventMembers(writer, event);
  writer.line["n"] = event.number;
  writer.line["at"] = event.wall_ns;
  writer.line["type"] = EventTypeName(event.type);
  if (event.stop_code) writer.line["stopCode"] = StopCodeName(*event.stop_code);
  return EncodeJson(writer.line);
}

Result<Event> DecodeEvent(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "event", kMaxEventLineBytes));
  JsonCursor line = document.root();
  Event event;
  event.type = TRY(ReadType(line).Context("event"));
  event.stop_code = TRY(ReadStopCode(line).Context("event"));
  JsonCursor number = TRY(line.Get("n").Context("event"));
  int64_t positive = TRY(number.Integer(1).Context("event"));
  event.number = static_cast<uint64_t>(positive);
  JsonCursor at = TRY(line.Get("at").Context("event"));
  event.wall_ns = TRY(at.Integer().Context("event"));
  EventReader reader(line);
  EventMembers(reader, event);
  if (reader.error) return std::move(*reader.error).Context("event");
  return event;
}

}  // namespace skiff::runtime
