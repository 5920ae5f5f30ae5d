// A log stream of either source as events, and what its directory has to endure: retention and
// removal. Any thread; one at a time for each directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "isolation/base/result.h"
#include "runtime/logs/event_file.h"

namespace skiff::runtime {

enum class EventSource { kContainer, kPut };

struct EventRead {
  EventSource source = EventSource::kContainer;
  std::string directory;
  std::optional<int64_t> since;  // milliseconds; events of then or later
  std::optional<uint64_t> tail;  // of a container: only so many of the last lines
};

// In the order in which they were completed, which no later event changes. A directory that does
// not exist is an empty stream.
Result<> ReadStream(const EventRead& read, const EventVisitor& visit);
// Removes what is older than `before` (milliseconds), in whole files. The file that a living
// container writes stays.
Result<> ExpireStream(EventSource source, const std::string& directory, int64_t before);
// What the stream's data takes on disk, indexes aside; 0 without a directory.
Result<uint64_t> StoredBytes(const std::string& directory);
// False, and nothing is removed: a container writes there.
Result<bool> RemoveStream(EventSource source, const std::string& directory);

}  // namespace skiff::runtime
