#include "runtime/agent/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/agent/host_facts.h"
#include "runtime/agent/host_record.h"
#include "runtime/agent/task_directory.h"
#include "runtime/control/keys.h"
#include "runtime/control/task_change.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/control.h"
#include "runtime/supervisor/event_log.h"

namespace skiff::runtime {
namespace {

// "tasks/<id>", "active/<id>".
std::optional<TaskId> IdIn(const std::string& key) {
  Result<TaskId> id = TaskId::Parse(std::string_view(key).substr(key.find('/') + 1));
  if (!id.ok()) return std::nullopt;
  return std::move(id).value();
}

bool IsStopped(const TaskRecord& record) {
  return record.observed.last_status == TaskStatus::kStopped;
}

}  // namespace

Agent::Agent(Store& store, AgentSettings settings, images::ImageStore images, HostFacts facts,
             UniqueFd wake)
    : store_(store),
      settings_(std::move(settings)),
      images_(std::move(images)),
      facts_(std::move(facts)),
      wake_fd_(std::move(wake)) {}

Agent::~Agent() = default;

Result<std::unique_ptr<Agent>> Agent::Create(Store& store, AgentSettings settings) {
  TRY(sys::MakeDirectories(settings.roots.TasksDirectory(), 0700));
  images::ImageStore images = TRY(images::ImageStore::Open(settings.roots.data));
  HostFacts facts = TRY(ReadHostFacts().Context("host"));
  TRY(WriteHostRecord(store, settings.roots.data, facts));
  UniqueFd wake = TRY(sys::MakeEventFd());
  return std::unique_ptr<Agent>(
      new Agent(store, std::move(settings), std::move(images), std::move(facts), std::move(wake)));
}

// ---- the loop ----

Result<> Agent::Run() {
  Result<> ended = Loop();
  is_stopping_ = true;
  {
    std::lock_guard lock(mutex_);
    is_over_ = true;  // whoever asks from now on is refused by Post
  }
  TakeQueue();
  return ended;
}

Result<> Agent::Loop() {
  loop_ = TRY(sys::EventLoop::Create());
  own_thread_ = std::this_thread::get_id();
  pulls_ = std::make_unique<ImagePulls>(*loop_, settings_.roots.data,
                                        [this](const TaskId& id) { dirty_.insert(id); });
  loop_->Read(wake_fd_.get(), &wake_count_, sizeof(wake_count_), on_wake_);
  watch_ = store_.WatchPrefix(keys::kTasks, [this](const Store::Changes& changes) {
    if (std::this_thread::get_id() == own_thread_) return;  // what it wrote itself it knows
    std::lock_guard lock(mutex_);
    for (const RecordWrite* change : changes) changed_keys_.push_back(change->key);
    Wake();
  });
  TRY(FindActive());
  scan_after_ = "";
  for (;;) {
    TakeQueue();
    if (is_stopping_) break;
    ReconcileAll();
    TRY(ScanStopped());
    RemoveDue();
    SetTimer();
    std::erase_if(leaving_, [](const auto& task) { return task->IsIdle(); });
    TRY(loop_->RunOnce());
  }
  watch_.reset();
  loop_.reset();  // forgets what is pending
  pulls_.reset();
  return {};
}

void Agent::Wake() {
  uint64_t one = 1;
  // A full counter wakes as well.
  [[maybe_unused]] ssize_t written = write(wake_fd_.get(), &one, sizeof(one));
}

bool Agent::Post(std::function<void()> command) {
  std::lock_guard lock(mutex_);
  if (is_over_) return false;
  commands_.push_back(std::move(command));
  Wake();
  return true;
}

void Agent::Stop() {
  Post([this] { is_stopping_ = true; });
}

void Agent::OnWake(int result, unsigned /*flags*/) {
  if (result == -ECANCELED) return;
  loop_->Read(wake_fd_.get(), &wake_count_, sizeof(wake_count_), on_wake_);
}

void Agent::TakeQueue() {
  std::vector<std::string> keys;
  std::vector<std::function<void()>> commands;
  {
    std::lock_guard lock(mutex_);
    keys.swap(changed_keys_);
    commands.swap(commands_);
  }
  for (const std::string& key : keys) {
    std::optional<TaskId> id = IdIn(key);
    if (!id) continue;
    active_[*id].is_stale = true;
    dirty_.insert(*id);
  }
  for (const std::function<void()>& command : commands) command();
}

Result<> Agent::FindActive() {
  RangeRequest request{.prefix = keys::kActive, .limit = kScanPage};
  for (;;) {
    std::vector<StoredRecord> page = TRY(store_.Range(request));
    for (const StoredRecord& stored : page) {
      std::optional<TaskId> id = IdIn(stored.key);
      if (!id) continue;
      active_[*id];
      dirty_.insert(*id);
    }
    if (page.size() < request.limit) return {};
    request.after = page.back().key;
  }
}

// A page a round, so that a long history does not keep the active tasks waiting.
Result<> Agent::ScanStopped() {
  if (!scan_after_) return {};
  std::vector<StoredRecord> page =
      TRY(store_.Range({.prefix = keys::kTasks, .after = *scan_after_, .limit = kScanPage}));
  for (const StoredRecord& stored : page) {
    Result<TaskRecord> record = DecodeTask(stored.value);
    if (!record.ok()) {
      TRY(store_.Quarantine(stored.key, record.error().message()));
    } else if (IsStopped(record.value())) {
      int64_t since = record.value().observed.stopped_at.value_or(WallNanoseconds());
      stopped_.emplace(since + settings_.stopped_retention.count(), record.value().observed.id);
    }
  }
  if (page.size() < kScanPage) {
    scan_after_.reset();
  } else {
    scan_after_ = page.back().key;
    Wake();
  }
  return {};
}

void Agent::ReconcileAll() {
  while (!dirty_.empty()) {
    TaskId id = *dirty_.begin();
    dirty_.erase(dirty_.begin());
    auto found = active_.find(id);
    if (found == active_.end()) continue;
    Result<> done = Reconcile(id, found->second);
    if (done.ok()) continue;
    Log(LogLevel::kError, "task " + id.Short() + ": " + done.error().message());
    AskForRetry();
  }
}

void Agent::AskForRetry() {
  retry_due_ = WallNanoseconds() + std::chrono::nanoseconds(kReconcileRetry).count();
}

void Agent::SetTimer() {
  std::optional<int64_t> due = retry_due_;
  if (!stopped_.empty()) due = std::min(due.value_or(INT64_MAX), stopped_.begin()->first);
  if (!due || timer_due_ == due) return;
  if (timer_due_) {
    if (*timer_due_ > *due) loop_->Cancel(on_timer_);  // it is set anew when that is done
    return;
  }
  timer_due_ = due;
  int64_t delay = std::max<int64_t>(*due - WallNanoseconds(), 0);
  loop_->Timeout(std::chrono::nanoseconds(delay), on_timer_);
}

void Agent::OnTimer(int /*result*/, unsigned /*flags*/) {
  timer_due_.reset();
  if (!retry_due_ || *retry_due_ > WallNanoseconds()) return;
  retry_due_.reset();
  for (auto& [id, task] : active_) {
    task.is_stale = true;
    dirty_.insert(id);
  }
}

// Which one changed is not told.
void Agent::OnDirectories(int result, unsigned /*flags*/) {
  if (result == -ECANCELED) return;
  directories_->Clear().Ignore();
  for (const auto& [id, task] : active_) {
    if (task.followed && task.followed->is_adopted()) dirty_.insert(id);
  }
  loop_->Poll(directories_->fd(), POLLIN, sys::Repeat::kOnce, on_directories_);
}

// ---- one task ----

Result<> Agent::Reconcile(const TaskId& id, Active& task) {
  if (task.is_stale) TRY(Read(id, task));
  if (task.record && !IsStopped(*task.record)) {
    if (!task.followed) TRY(FindSupervisor(id, task));
    if (!task.followed) TRY(Begin(id, task));
    if (task.followed) TRY(Refresh(id, task));
  }
  if (!task.record || IsStopped(*task.record)) {
    Drop(id);
  } else if (task.record->desired_status == DesiredStatus::kStopped) {
    RequestStop(task);
  }
  return {};
}

Result<> Agent::Read(const TaskId& id, Active& task) {
  std::optional<StoredRecord> stored = TRY(store_.Get(keys::Task(id)));
  task.record.reset();
  task.is_stale = false;
  if (!stored) return {};
  Result<TaskRecord> record = DecodeTask(stored->value);
  if (!record.ok()) {
    Log(LogLevel::kError, "task " + id.Short() + ": " + record.error().message());
    TRY(store_.Quarantine(stored->key, record.error().message()));
    TRY(store_.Commit({{keys::Active(id), std::nullopt, std::nullopt}}, Durability::kStatus));
    return {};
  }
  task.record = std::move(record).value();
  task.version = stored->version;
  return {};
}

// Nothing is written when the edit changes nothing.
Result<> Agent::Change(const TaskId& id, Active& task, Durability durability, const Edit& edit) {
  for (int attempt = 0; attempt < kMaxChangeAttempts; ++attempt) {
    if (task.is_stale) TRY(Read(id, task));
    if (!task.record) return {};
    TaskRecord after = *task.record;
    edit(after);
    if (after == *task.record) return {};
    Result<uint64_t> version =
        store_.Commit(ChangeTask(*task.record, task.version, after), durability);
    if (version.ok()) {
      task.record = std::move(after);
      task.version = version.value();
      return {};
    }
    if (version.error().code() != Code::kConflict) return std::move(version).error();
    task.is_stale = true;
  }
  return Error(Code::kConflict, "its record changes faster than it can be written");
}

// A task that no supervisor ends.
Result<> Agent::Finish(const TaskId& id, Active& task, StopCode code, const std::string& reason) {
  Event stopped;
  stopped.type = EventType::kTaskStopped;
  stopped.wall_ns = WallNanoseconds();
  stopped.stop_code = code;
  stopped.reason = reason;
  Task before = task.record->observed;
  TRY(Change(id, task, Durability::kAccepted, [&](TaskRecord& record) {
    stopped.number = record.observed.last_event + 1;
    Apply(record.observed, stopped);
  }));
  metrics_.Note(before, task.record->observed, task.record->created_at, {});
  return {};
}

// Looks for what an earlier daemon left of the task: a supervisor at work, a start that got as far
// as the plan, or a directory to be cleaned up.
Result<> Agent::FindSupervisor(const TaskId& id, Active& task) {
  std::string directory = settings_.roots.TaskDirectory(id);
  if (!sys::Exists(AT_FDCWD, directory)) return {};
  if (!sys::Exists(AT_FDCWD, directory + "/plan.json")) {
    return sys::RemoveTree(AT_FDCWD, directory);
  }
  TaskPlan plan = TRY(LoadPlan(settings_.roots, id));
  UniqueFd supervisor = TRY(OpenSupervisor(directory));
  if (supervisor.valid()) {
    UniqueFd opened = TRY(sys::OpenDirectory(AT_FDCWD, directory));
    if (directories_) {
      TRY(directories_->Add(opened.get()));
    } else {
      directories_ = TRY(sys::DirectoryWatch::Open(opened.get()));
      loop_->Poll(directories_->fd(), POLLIN, sys::Repeat::kOnce, on_directories_);
    }
    task.followed = Follow(id, std::move(plan));
    task.followed->Adopt(std::move(supervisor));
    return {};
  }
  std::vector<Event> events = TRY(ReadEvents(directory));
  if (!events.empty()) {
    task.followed = Follow(id, std::move(plan));  // Refresh sees that nobody is there
    return {};
  }
  if (task.record->desired_status == DesiredStatus::kRunning) {
    UniqueFd sweep_hold = TRY(HoldOffSweeps(settings_.roots));
    return Spawn(id, task, {std::move(plan), directory, {}, std::move(sweep_hold)});
  }
  for (const Error& error : CleanUpTask(plan, nullptr)) {
    Log(LogLevel::kWarning, "task " + id.Short() + ": " + error.message());
  }
  return sys::RemoveTree(AT_FDCWD, directory);
}

Result<> Agent::Refresh(const TaskId& id, Active& task) {
  FollowedTask& followed = *task.followed;
  followed.Rearm();
  if (followed.HasEnded()) {
    Result<bool> is_dead = RecoverIfDead(followed.plan());
    if (!is_dead.ok()) {
      Log(LogLevel::kWarning, "task " + id.Short() + ": " + is_dead.error().message());
      AskForRetry();
    } else if (!is_dead.value()) {
      // Another supervisor was faster: that one is the task's.
      task.followed->Retire();
      leaving_.push_back(std::move(task.followed));
      dirty_.insert(id);
      return {};
    }
  }
  TRY(followed.ReadEvents());
  if (!followed.has_news()) return {};
  followed.LetGo();
  const std::vector<Event>& events = followed.events();
  bool is_over = events.back().type == EventType::kTaskStopped;
  Task before = task.record->observed;
  TRY(Change(id, task, is_over ? Durability::kAccepted : Durability::kStatus,
             [&](TaskRecord& record) {
               for (const Event& event : events) Apply(record.observed, event);
             }));
  if (!task.record) return {};  // removed, or put in quarantine
  metrics_.Note(before, task.record->observed, task.record->created_at, events);
  followed.MarkNoted(task.record->observed.started_at.has_value());
  return {};
}

// A supervisor that does not listen yet is told after its next event.
void Agent::RequestStop(Active& task) {
  bool is_known = task.record->observed.desired_status == DesiredStatus::kStopped;
  if (is_known || !task.followed || task.followed->is_stop_sent) return;
  ControlRequest request;
  request.verb = ControlRequest::Verb::kStop;
  request.reason = task.record->stop_reason;
  const TaskPlan& plan = task.followed->plan();
  Result<> sent = SendRequest(plan.roots.ControlSocket(plan.id), request);
  task.followed->is_stop_sent = sent.ok();
}

void Agent::Drop(const TaskId& id) {
  auto found = active_.find(id);
  if (found == active_.end()) return;
  pulls_->Forget(id);
  Active& task = found->second;
  if (task.followed) {
    task.followed->Retire();
    leaving_.push_back(std::move(task.followed));
  }
  if (task.record) {
    int64_t since = task.record->observed.stopped_at.value_or(WallNanoseconds());
    stopped_.emplace(since + settings_.stopped_retention.count(), id);
  }
  active_.erase(found);
}

// ---- removal ----

void Agent::RemoveDue() {
  int64_t now = WallNanoseconds();
  while (!stopped_.empty() && stopped_.begin()->first <= now) {
    TaskId id = stopped_.begin()->second;
    stopped_.erase(stopped_.begin());
    Result<> removed = RemoveStopped(id);
    if (removed.ok()) continue;
    Log(LogLevel::kError, "removing task " + id.Short() + ": " + removed.error().message());
    stopped_.emplace(now + settings_.stopped_retention.count(), id);
  }
}

// The directory first: while the record is there, it is found again.
Result<> Agent::RemoveStopped(const TaskId& id) {
  std::optional<StoredRecord> stored = TRY(store_.Get(keys::Task(id)));
  if (!stored) return {};
  TaskRecord record = TRY(DecodeTask(stored->value));
  if (!IsStopped(record)) return {};
  Result<RecordedTask> recorded = LoadRecord(settings_.roots, id);
  if (recorded.ok()) {
    TRY(RemoveRecord(recorded.value()));
  } else {
    TRY(sys::RemoveTree(AT_FDCWD, settings_.roots.TaskDirectory(id)));
  }
  Result<uint64_t> removed =
      store_.Commit(RemoveTask(record, stored->version), Durability::kStatus);
  if (removed.ok()) return {};
  return std::move(removed).error();
}

Result<> Agent::Reset() {
  std::promise<Result<>> done;
  std::future<Result<>> answer = done.get_future();
  Error stopping(Code::kUnavailable, "the daemon is stopping");
  bool is_posted = Post([&] { done.set_value(is_stopping_ ? Result<>(stopping) : RemoveAll()); });
  if (!is_posted) return stopping;
  return answer.get();
}

// By the death of their supervisors, which takes the containers along: no stop timeout is waited
// for.
Result<> Agent::EndAll() {
  for (auto& [id, task] : active_) {
    TRY(Change(id, task, Durability::kStatus, [](TaskRecord& record) {
      record.desired_status = DesiredStatus::kStopped;
      record.stop_code = StopCode::kTerminationNotice;
      record.stop_reason = "The host was reset";
    }));
    if (task.followed) TRY(task.followed->Kill());
    dirty_.insert(id);
  }
  auto deadline = std::chrono::steady_clock::now() + kResetPatience;
  for (ReconcileAll(); !active_.empty(); ReconcileAll()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error(Code::kTimeout, std::to_string(active_.size()) + " tasks do not end");
    }
    AskForRetry();
    SetTimer();
    TRY(loop_->RunOnce());
  }
  return {};
}

Result<> Agent::RemoveAll() {
  ReconcileAll();
  TRY(EndAll());
  RangeRequest request{.prefix = keys::kTasks, .limit = kScanPage};
  for (;;) {
    std::vector<StoredRecord> page = TRY(store_.Range(request));
    for (const StoredRecord& stored : page) {
      std::optional<TaskId> id = IdIn(stored.key);
      if (id) TRY(sys::RemoveTree(AT_FDCWD, settings_.roots.TaskDirectory(*id)));
    }
    if (page.size() < request.limit) break;
    request.after = page.back().key;
  }
  TRY(sys::RemoveTree(AT_FDCWD, settings_.roots.data + "/logs"));
  TRY(store_.Clear());
  stopped_.clear();
  scan_after_.reset();
  return WriteHostRecord(store_, settings_.roots.data, facts_);
}

}  // namespace skiff::runtime
