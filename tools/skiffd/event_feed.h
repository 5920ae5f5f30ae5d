// Tells whoever connects to a Unix socket what becomes of tasks: ECS task state changes in
// EventBridge's shape, one JSON object a line (runtime/api/task_event.h).
//
// A subscriber first gets the present state of every active task, then every change from then on,
// each once and in order of the task's version. An event's id derives from task and version, so who
// was cut off (the daemon was killed, the subscriber too slow) connects again and knows by the id
// what it has seen already; what stopped meanwhile is in ListTasks. A subscriber that does not read
// loses its connection, not an event in the middle of the stream.
//
// Run has a thread of its own; commits come from any. Nobody connected: a commit costs nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "runtime/control/metrics.h"
#include "runtime/control/settings.h"
#include "runtime/control/task_record.h"
#include "runtime/store/store.h"

namespace skiff::tools {

class EventFeed {
 public:
  // Listens at `path`, mode 0600. `store` outlives it.
  static Result<std::unique_ptr<EventFeed>> Open(runtime::Store& store,
                                                 const runtime::ControlSettings& settings,
                                                 const std::string& path);
  ~EventFeed();

  void Run();
  void Stop();                                   // any thread
  void Write(runtime::MetricsText& text) const;  // any thread

 private:
  struct Subscriber {
    UniqueFd fd;
    std::string pending;  // what the socket did not take yet
  };

  EventFeed(runtime::Store& store, const runtime::ControlSettings& settings);
  void OnCommit(const runtime::Store::Changes& changes);
  bool Wait(std::vector<int>* ready);
  void Accept();
  void Greet(Subscriber& subscriber);
  void TakeQueue();
  void Tell(const runtime::TaskRecord& record);
  std::string TextOf(const runtime::TaskRecord& record);
  void Flush();
  void Drop(std::list<Subscriber>::iterator subscriber, bool is_slow);

  runtime::Store& store_;
  const runtime::ControlSettings settings_;
  UniqueFd listener_;
  UniqueFd wake_;
  std::list<Subscriber> subscribers_;
  std::map<std::string, uint64_t> told_;  // task id to the version told last

  std::mutex mutex_;                // guards the two that follow
  std::vector<std::string> queue_;  // records as committed
  bool is_overrun_ = false;         // the queue was full: who listens must start anew
  std::atomic<size_t> connected_ = 0;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<uint64_t> events_ = 0;
  std::atomic<uint64_t> dropped_ = 0;
  std::unique_ptr<runtime::Store::Watch> watch_;  // last: ends first
};

}  // namespace skiff::tools
