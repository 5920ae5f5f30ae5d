// The task's `events` file: appended by its supervisor, read by everybody else. One write(2) per
// batch, so a reader never sees half a line unless the writer died in it.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "runtime/model/event.h"

namespace skiff::runtime {

class EventLog {
 public:
  // Goes on after the last complete line; a half line left by a dead writer is cut off.
  static Result<EventLog> Open(const std::string& task_directory);

  // Numbers and dates the events. What cannot be written is said on standard error: a task does not
  // end for it.
  void Append(std::vector<Event> events);
  void Append(Event event);

 private:
  EventLog(UniqueFd fd, uint64_t last) : fd_(std::move(fd)), last_(last) {}
  UniqueFd fd_;
  uint64_t last_;
};

std::string EventsPath(const std::string& task_directory);

// Every complete line. A line that cannot be read ends the list: what follows builds on it.
Result<std::vector<Event>> ReadEvents(const std::string& task_directory);

// The same for who comes back for more: each call returns what was appended since the one before,
// of at most sys::kMaxSmallFile bytes.
class EventReader {
 public:
  explicit EventReader(const std::string& task_directory) : path_(EventsPath(task_directory)) {}
  Result<std::vector<Event>> ReadNew();

 private:
  std::string path_;
  uint64_t read_bytes_ = 0;  // of complete lines: a half one is read again
};

}  // namespace skiff::runtime
