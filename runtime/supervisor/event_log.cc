#include "runtime/supervisor/event_log.h"

#include <fcntl.h>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"

namespace skiff::runtime {

std::string EventsPath(const std::string& task_directory) { return task_directory + "/events"; }

namespace {

struct Parsed {
  std::vector<Event> events;
  size_t sound_bytes = 0;
};

Parsed ParseLines(std::string_view text) {
  Parsed parsed;
  size_t start = 0;
  for (size_t end; (end = text.find('\n', start)) != std::string_view::npos; start = end + 1) {
    Result<Event> event = DecodeEvent(text.substr(start, end - start));
    if (!event.ok()) break;
    parsed.events.push_back(std::move(event).value());
    parsed.sound_bytes = end + 1;
  }
  return parsed;
}

}  // namespace

Result<EventLog> EventLog::Open(const std::string& task_directory) {
  std::string path = EventsPath(task_directory);
  UniqueFd fd = TRY(sys::Open(AT_FDCWD, path, O_RDWR | O_CREAT | O_APPEND, 0600));
  std::string text = TRY(sys::ReadAll(fd.get(), path));
  Parsed parsed = ParseLines(text);
  if (parsed.sound_bytes < text.size())
    TRY(sys::Truncate(fd.get(), static_cast<int64_t>(parsed.sound_bytes)));
  return EventLog(std::move(fd), parsed.events.empty() ? 0 : parsed.events.back().number);
}

void EventLog::Append(std::vector<Event> events) {
  std::string lines;
  for (Event& event : events) {
    event.number = ++last_;
    if (event.wall_ns == 0) event.wall_ns = WallNanoseconds();
    lines += EncodeEvent(event);
    lines += '\n';
  }
  Result<> written = sys::WriteAll(fd_.get(), lines, "events");
  if (!written.ok()) Log(LogLevel::kError, written.error().message() + ": " + lines);
}

void EventLog::Append(Event event) {
  std::vector<Event> events;
  events.push_back(std::move(event));
  Append(std::move(events));
}

Result<std::vector<Event>> ReadEvents(const std::string& task_directory) {
  Result<std::string> text = sys::ReadFile(AT_FDCWD, EventsPath(task_directory));
  if (!text.ok() && text.error().code() == Code::kNotFound) return std::vector<Event>();
  if (!text.ok()) return std::move(text).error();
  return ParseLines(text.value()).events;
}

Result<std::vector<Event>> EventReader::ReadNew() {
  Result<UniqueFd> fd = sys::Open(AT_FDCWD, path_, O_RDONLY);
  if (!fd.ok() && fd.error().code() == Code::kNotFound) return std::vector<Event>();
  if (!fd.ok()) return std::move(fd).error();
  std::string text;
  char buffer[16 << 10];
  while (text.size() < sys::kMaxSmallFile.count()) {
    size_t count =
        TRY(sys::ReadAt(fd.value().get(), buffer, sizeof(buffer), read_bytes_ + text.size()));
    if (count == 0) break;
    text.append(buffer, count);
  }
  Parsed parsed = ParseLines(text);
  read_bytes_ += parsed.sound_bytes;
  return std::move(parsed.events);
}

}  // namespace skiff::runtime
