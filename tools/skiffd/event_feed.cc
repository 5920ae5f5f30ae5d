#include "tools/skiffd/event_feed.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/sys/pipe.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"
#include "runtime/api/active_tasks.h"
#include "runtime/api/task_event.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"
#include "tools/skiffd/limits.h"

namespace skiff::tools {
namespace {

using runtime::TaskRecord;

void Beat(int fd) {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(fd, &one, sizeof(one));
}

void Calm(int fd) {
  uint64_t count = 0;
  [[maybe_unused]] ssize_t size = read(fd, &count, sizeof(count));
}

// What is left of `data` after the socket took what it could; nullopt: the connection is gone.
std::optional<std::string_view> Send(int fd, std::string_view data) {
  while (!data.empty()) {
    ssize_t count = send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return data;
    if (count < 0) return std::nullopt;
    data.remove_prefix(static_cast<size_t>(count));
  }
  return data;
}

}  // namespace

EventFeed::EventFeed(runtime::Store& store, const runtime::ControlSettings& settings)
    : store_(store), settings_(settings) {}

EventFeed::~EventFeed() = default;

Result<std::unique_ptr<EventFeed>> EventFeed::Open(runtime::Store& store,
                                                   const runtime::ControlSettings& settings,
                                                   const std::string& path) {
  std::unique_ptr<EventFeed> feed(new EventFeed(store, settings));
  feed->wake_ = TRY(sys::MakeEventFd());
  feed->listener_ = TRY(sys::ListenUnix(path, kEventBacklog));
  EventFeed* raw = feed.get();
  feed->watch_ =
      store.WatchPrefix(runtime::keys::kTasks,
                        [raw](const runtime::Store::Changes& changes) { raw->OnCommit(changes); });
  return feed;
}

// On the committing thread, beneath the store's lock: that is what keeps the order.
void EventFeed::OnCommit(const runtime::Store::Changes& changes) {
  if (connected_ == 0) return;
  std::lock_guard lock(mutex_);
  for (const runtime::RecordWrite* change : changes) {
    if (!change->value) continue;
    if (queue_.size() == kMaxQueuedEvents) {
      is_overrun_ = true;
      break;
    }
    queue_.push_back(*change->value);
  }
  Beat(wake_.get());
}

void EventFeed::Stop() {
  is_stopping_ = true;
  Beat(wake_.get());
}

void EventFeed::Run() {
  std::vector<int> ready;
  while (!is_stopping_ && Wait(&ready)) {
    for (int fd : ready) {
      if (fd == wake_.get()) Calm(fd);
      if (fd == listener_.get()) Accept();
    }
    TakeQueue();
    Flush();
  }
  while (!subscribers_.empty()) Drop(subscribers_.begin(), false);
}

// The wake-up, the listener, and who can be written to; a subscriber that hung up is dropped.
bool EventFeed::Wait(std::vector<int>* ready) {
  ready->clear();
  std::vector<pollfd> entries = {{wake_.get(), POLLIN, 0}};
  short accepting = subscribers_.size() < kMaxEventSubscribers ? POLLIN : 0;
  entries.push_back({listener_.get(), accepting, 0});
  for (const Subscriber& subscriber : subscribers_) {
    short writing = subscriber.pending.empty() ? 0 : POLLOUT;
    entries.push_back({subscriber.fd.get(), static_cast<short>(POLLRDHUP | writing), 0});
  }
  int count = poll(entries.data(), entries.size(), -1);
  if (count < 0) return errno == EINTR;
  for (const pollfd& entry : entries) {
    if (entry.revents == 0) continue;
    ready->push_back(entry.fd);
    if ((entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) continue;
    auto gone = std::find_if(subscribers_.begin(), subscribers_.end(),
                             [&](const Subscriber& s) { return s.fd.get() == entry.fd; });
    if (gone != subscribers_.end()) Drop(gone, false);
  }
  return true;
}

void EventFeed::Accept() {
  UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) return;
  subscribers_.push_back({std::move(fd), ""});
  // From here on commits are queued; what is queued and greeted alike is told apart by version.
  ++connected_;
  Greet(subscribers_.back());
}

void EventFeed::Greet(Subscriber& subscriber) {
  // Others have seen these; for them `told_` is right already, or a change is in the queue.
  bool is_first = subscribers_.size() == 1;
  if (is_first) told_.clear();
  Result<> visited = runtime::api::VisitActiveTasks(store_, [&](const TaskRecord& record) {
    subscriber.pending += TextOf(record);
    if (is_first) told_[record.observed.id.text()] = record.observed.version;
  });
  if (!visited.ok()) Log(LogLevel::kWarning, "events: " + visited.error().message());
}

void EventFeed::TakeQueue() {
  std::vector<std::string> queue;
  bool is_overrun = false;
  {
    std::lock_guard lock(mutex_);
    queue.swap(queue_);
    std::swap(is_overrun, is_overrun_);
  }
  for (const std::string& value : queue) {
    Result<TaskRecord> record = runtime::DecodeTask(value);
    if (record.ok()) Tell(record.value());
  }
  // A gap cannot be closed, so nobody may go on as if there were none.
  while (is_overrun && !subscribers_.empty()) Drop(subscribers_.begin(), true);
}

void EventFeed::Tell(const TaskRecord& record) {
  const std::string& id = record.observed.id.text();
  uint64_t version = static_cast<uint64_t>(record.observed.version);
  auto told = told_.find(id);
  if (told != told_.end() && told->second >= version) return;
  // Forgetting costs at worst that a change is told twice.
  if (told_.size() >= kMaxToldTasks) told_.clear();
  told_[id] = version;
  if (subscribers_.empty()) return;
  std::string text = TextOf(record);
  for (Subscriber& subscriber : subscribers_) subscriber.pending += text;
  ++events_;
}

std::string EventFeed::TextOf(const TaskRecord& record) {
  std::optional<runtime::TaskDefinitionRecord> definition;
  std::string key = runtime::keys::TaskDefinition(record.family, record.revision);
  Result<std::optional<runtime::StoredRecord>> stored = store_.Get(key);
  if (stored.ok() && stored.value()) {
    Result<runtime::TaskDefinitionRecord> decoded =
        runtime::DecodeTaskDefinition(stored.value()->value);
    if (decoded.ok()) definition = std::move(decoded).value();
  }
  return runtime::api::TaskEventText(record, definition ? &definition->definition : nullptr,
                                     settings_, WallNanoseconds()) +
         "\n";
}

void EventFeed::Flush() {
  for (auto subscriber = subscribers_.begin(); subscriber != subscribers_.end();) {
    auto current = subscriber++;
    std::optional<std::string_view> left = Send(current->fd.get(), current->pending);
    if (!left) {
      Drop(current, false);
    } else if (left->size() > kMaxEventBacklogBytes) {
      Drop(current, true);
    } else {
      current->pending = std::string(*left);
    }
  }
}

void EventFeed::Drop(std::list<Subscriber>::iterator subscriber, bool is_slow) {
  if (is_slow) {
    ++dropped_;
    Log(LogLevel::kWarning, "events: a subscriber did not read and was disconnected");
  }
  subscribers_.erase(subscriber);
  --connected_;
}

void EventFeed::Write(runtime::MetricsText& text) const {
  text.Family("skiff_event_subscribers", "gauge", "Connections to the events socket.");
  text.Sample({}, static_cast<uint64_t>(connected_));
  text.Family("skiff_events_total", "counter", "Task state changes told to subscribers.");
  text.Sample({}, events_.load());
  text.Family("skiff_event_subscribers_dropped_total", "counter",
              "Subscribers that did not read and were disconnected.");
  text.Sample({}, dropped_.load());
}

}  // namespace skiff::tools
