// Log events that were put from outside, on disk: <directory>/000001.events, appended to, then
// 000002.events when the first is full or a day old. A record is 20 bytes, little-endian (uint32
// length of the message, int64 timestamp, int64 ingestion time, both milliseconds) and the message.
// A record cut short by a crash is cut off by the next append and not seen by readers. One writer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime {

struct LogEvent {
  int64_t timestamp = 0;  // milliseconds
  int64_t ingested = 0;   // milliseconds
  std::string message;
  uint64_t id = 0;  // unique in its stream, the same for every reader
};

// False: enough, read no further.
using EventVisitor = std::function<bool(const LogEvent&)>;

// Makes the directory if missing.
// On disk when this returns.
Result<> AppendEvents(const std::string& directory, const std::vector<LogEvent>& events);
// In the order they were put. A directory that does not exist is an empty stream.
Result<> ReadEvents(const std::string& directory, const EventVisitor& visit);
// Removes the files all of whose events are older than `before` (milliseconds).
Result<> ExpireEvents(const std::string& directory, int64_t before);

}  // namespace skiff::runtime
